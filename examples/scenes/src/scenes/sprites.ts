import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { factors, type Identity, identities, type Style, styles } from "./factors.js";
import { tinted } from "./tint.js";

/** Width and height of a sprite in its atlas, in pixels. */
export const SPRITE_SIZE = 64;
const COLUMNS = 8;

export type Extra = Exclude<(typeof factors)["extra"][number], "none">;
/** The things that there are drawings of. */
export type SpriteName = Identity | Extra;

/** The drawings in the order of the atlas. */
export const spriteNames: readonly SpriteName[] = [
  ...identities,
  ...factors.extra.filter((name) => name !== "none"),
];

export interface SpriteOptions {
  name: SpriteName;
  style: Style;
  tint: "natural" | "tinted";
  /** Width and height in pixels. */
  size: number;
}

/** The drawings of all styles, at any size. */
export interface Sprites {
  /** `[size, size, 4]`: red, green and blue times alpha in [0, 255], and alpha in [0, 1]. It is shared: do not change it. */
  at(options: SpriteOptions): Float32Array;
}

let loaded: Promise<Sprites> | undefined;

/**
 * The drawings, each trimmed and facing left, from the PNG files beside the sources. They are read once for all callers.
 *
 * Resized drawings are kept: the scenes of one size need about 4,000 of some hundred pixels.
 */
export function loadSprites(): Promise<Sprites> {
  loaded ??= readSprites();
  return loaded;
}

async function readSprites(): Promise<Sprites> {
  const originals = new Map<string, Float32Array>();
  for (const style of styles) {
    const atlas = await readAtlas(style);
    for (const [i, name] of spriteNames.entries()) {
      const drawing = cell(atlas, i);
      originals.set(`${name} ${style} natural`, premultiplied(drawing));
      originals.set(`${name} ${style} tinted`, premultiplied(tinted(drawing)));
    }
  }
  const resized = new Map<string, Float32Array>();
  return {
    at({ name, style, tint, size }) {
      const key = `${name} ${style} ${tint}`;
      const sized = `${key} ${size}`;
      let sprite = resized.get(sized);
      if (!sprite) {
        sprite = resizeArea(originals.get(key)!, size);
        resized.set(sized, sprite);
      }
      return sprite;
    },
  };
}

async function readAtlas(style: Style): Promise<Uint8Array> {
  const path = fileURLToPath(new URL(`../../sprites/${style}.png`, import.meta.url));
  const { data, info } = await sharp(await readFile(path))
    .raw()
    .toBuffer({ resolveWithObject: true });
  const height = Math.ceil(spriteNames.length / COLUMNS) * SPRITE_SIZE;
  if (info.channels !== 4 || info.width !== COLUMNS * SPRITE_SIZE || info.height !== height) {
    throw new Error(
      `loadSprites: ${path} must be RGBA of ${COLUMNS * SPRITE_SIZE} x ${height} pixels, got ${info.channels} channels of ${info.width} x ${info.height}`,
    );
  }
  return data;
}

/** `[64, 64, 4]` bytes. */
function cell(atlas: Uint8Array, index: number): Uint8Array {
  const [row, column] = [Math.floor(index / COLUMNS), index % COLUMNS];
  const bytes = new Uint8Array(SPRITE_SIZE * SPRITE_SIZE * 4);
  for (let y = 0; y < SPRITE_SIZE; y++) {
    const start = ((row * SPRITE_SIZE + y) * COLUMNS + column) * SPRITE_SIZE * 4;
    bytes.set(atlas.subarray(start, start + SPRITE_SIZE * 4), y * SPRITE_SIZE * 4);
  }
  return bytes;
}

function premultiplied(rgba: Uint8Array): Float32Array {
  const out = new Float32Array(rgba.length);
  for (let i = 0; i < rgba.length; i += 4) {
    const alpha = rgba[i + 3] / 255;
    for (let c = 0; c < 3; c++) out[i + c] = rgba[i + c] * alpha;
    out[i + 3] = alpha;
  }
  return out;
}

/** Each pixel is the mean of the area that it covers, whole and part pixels by their share. */
function resizeArea(sprite: Float32Array, size: number): Float32Array {
  const step = SPRITE_SIZE / size;
  const spans = Array.from({ length: size }, (_, out) => {
    const [start, end] = [out * step, Math.min(SPRITE_SIZE, (out + 1) * step)];
    const first = Math.floor(start);
    const weights: number[] = [];
    for (let at = first; at < end; at++) weights.push((Math.min(end, at + 1) - Math.max(start, at)) / step);
    return { first, weights };
  });
  const out = new Float32Array(size * size * 4);
  const sums = [0, 0, 0, 0];
  for (const [y, row] of spans.entries()) {
    for (const [x, column] of spans.entries()) {
      sums.fill(0);
      for (const [i, wy] of row.weights.entries()) {
        for (const [j, wx] of column.weights.entries()) {
          const from = ((row.first + i) * SPRITE_SIZE + column.first + j) * 4;
          for (let c = 0; c < 4; c++) sums[c] += wy * wx * sprite[from + c];
        }
      }
      out.set(sums, (y * size + x) * 4);
    }
  }
  return out;
}
