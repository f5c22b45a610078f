import { IMAGE_BYTES, IMAGE_SIZE } from "./images.js";

/** English's basic colour terms (Berlin & Kay 1969) as sRGB, some by several shades. */
const colours: readonly [string, readonly [number, number, number]][] = [
  ["black", [20, 20, 20]],
  ["black", [55, 55, 60]],
  ["grey", [125, 130, 135]],
  ["grey", [180, 185, 190]],
  ["white", [240, 240, 240]],
  ["red", [220, 40, 45]],
  ["red", [150, 20, 30]],
  ["orange", [245, 140, 30]],
  ["yellow", [255, 210, 60]],
  ["green", [75, 165, 60]],
  ["green", [30, 95, 50]],
  ["blue", [40, 110, 215]],
  ["blue", [120, 190, 240]],
  ["blue", [30, 50, 110]],
  ["purple", [125, 65, 165]],
  ["pink", [240, 130, 175]],
  ["brown", [120, 75, 45]],
  ["brown", [190, 140, 95]],
];

/** A colour is named where it covers this share of the ink. */
const NAMED_SHARE = 0.15;
const NAMED_COLOURS = 2;

/** A pixel is ink where a channel is this far from the white that images are composited on. */
const INK = 24;

/**
 * What a picture looks like, in words that its name need not say: its main colours, the largest first, and whether it is
 * wide, tall, small or large. Read off the pixels, so that a denoiser's captions tell what to paint also for emoji
 * whose names it never saw.
 *
 * @param images `[n, 32, 32, 3]` bytes
 * @returns for example `"yellow brown wide"`
 */
export function appearanceOf(images: Uint8Array, index: number): string {
  const image = images.subarray(index * IMAGE_BYTES, (index + 1) * IMAGE_BYTES);
  const counts = new Map<string, number>();
  let ink = 0;
  let [left, right, top, bottom] = [IMAGE_SIZE, -1, IMAGE_SIZE, -1];
  for (let i = 0; i < IMAGE_BYTES; i += 3) {
    const [r, g, b] = image.subarray(i, i + 3);
    if (255 - Math.min(r, g, b) < INK) continue;
    ink++;
    const [x, y] = [(i / 3) % IMAGE_SIZE, Math.floor(i / 3 / IMAGE_SIZE)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    const name = colourOf(r, g, b);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  if (ink === 0) return "white";
  const named = [...counts]
    .filter(([, count]) => count >= NAMED_SHARE * ink)
    .sort((a, b) => b[1] - a[1])
    .slice(0, NAMED_COLOURS)
    .map(([name]) => name);
  const aspect = (right - left + 1) / (bottom - top + 1);
  const covered = ink / (IMAGE_SIZE * IMAGE_SIZE);
  const form = [
    aspect > 1.3 ? "wide" : aspect < 1 / 1.3 ? "tall" : "",
    covered < 0.3 ? "small" : covered > 0.65 ? "large" : "",
  ];
  return [...named, ...form].filter(Boolean).join(" ");
}

function colourOf(r: number, g: number, b: number): string {
  let [best, least] = ["", Number.POSITIVE_INFINITY];
  for (const [name, [red, green, blue]] of colours) {
    const distance = (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
    if (distance < least) [best, least] = [name, distance];
  }
  return best;
}
