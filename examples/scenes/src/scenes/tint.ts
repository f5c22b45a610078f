/** How far the hue turns, as a share of the colour circle. */
const HUE_TURN = 150 / 360;
/** How much saturation grows, so that grey drawings change too. */
const MORE_SATURATION = 0.24;

/**
 * Other colours for a drawing: in HSV (Smith 1978, "Color gamut transform pairs") the hue turns by 150 degrees and the saturation grows by
 * 0.24, at most to 1. Value and alpha stay.
 *
 * @param rgba `[n, 4]` bytes
 * @returns `[n, 4]` bytes
 */
export function tinted(rgba: Uint8Array): Uint8Array {
  const out = new Uint8Array(rgba.length);
  for (let i = 0; i < rgba.length; i += 4) {
    const [h, s, v] = toHSV(rgba[i] / 255, rgba[i + 1] / 255, rgba[i + 2] / 255);
    const rgb = fromHSV((h + HUE_TURN) % 1, Math.min(1, s + MORE_SATURATION), v);
    for (let c = 0; c < 3; c++) out[i + c] = Math.floor(255 * rgb[c] + 0.5);
    out[i + 3] = rgba[i + 3];
  }
  return out;
}

function toHSV(r: number, g: number, b: number): [h: number, s: number, v: number] {
  const v = Math.max(r, g, b);
  const chroma = v - Math.min(r, g, b);
  if (chroma === 0) return [0, 0, v];
  let sextant: number;
  if (v === r) sextant = ((g - b) / chroma + 6) % 6;
  else if (v === g) sextant = (b - r) / chroma + 2;
  else sextant = (r - g) / chroma + 4;
  return [sextant / 6, chroma / v, v];
}

function fromHSV(h: number, s: number, v: number): [r: number, g: number, b: number] {
  const channel = (n: number) => {
    const k = (n + 6 * h) % 6;
    return v - v * s * Math.max(0, Math.min(k, 4 - k, 1));
  };
  return [channel(5), channel(3), channel(1)];
}
