import { createHash } from "node:crypto";
import { join } from "node:path";
import sharp from "sharp";
import type { CaptionParts } from "./captions.js";
import { type EmojiStyle, emojiStyles, packageFolder, packageVersion, readEmojiList } from "./emoji-list.js";
import { type EmojiSplit, readReservedCodes, splitEmoji } from "./emoji-split.js";
import { cachedImages } from "./image-cache.js";
import { IMAGE_BYTES, IMAGE_SIZE } from "./images.js";

/** Counts changes of how images are decoded; part of the cache's key. */
const DECODER_VERSION = 1;

/** One image of the emoji set: a code in a style. */
export interface EmojiItem extends CaptionParts {
  /** Unicode code points in hexadecimal, joined by "-". */
  code: string;
  /** The emoji that this is a skin-tone variant of, or its own code. */
  baseCode: string;
  split: EmojiSplit;
}

/** Images and what is known of them, in one order. */
export interface EmojiData {
  /** `[items.length, 32, 32, 3]`, RGB bytes; see `imageTensor` and `imageAt` for values in [0, 1]. */
  images: Uint8Array;
  items: EmojiItem[];
}

/**
 * All emoji of emoji-datasource-google and -twitter: composited on white, resized from 64 to 32 pixels (Lanczos).
 * Decoding takes some 8 s the first time and is then read from `.cache/`.
 *
 * @throws naming the file, if an image is missing or cannot be decoded
 */
export async function loadEmoji(): Promise<EmojiData> {
  const codes = readEmojiList();
  const files = codes.flatMap(({ file, styles }) => styles.map((style) => ({ style, file })));
  const versions = emojiStyles.map((style) => packageVersion(`emoji-datasource-${style}`));
  const key = JSON.stringify([DECODER_VERSION, sharp.versions, versions, IMAGE_SIZE, files]);
  const images = await cachedImages("emoji", key, files.length * IMAGE_BYTES, () =>
    decodeImages(files.map(({ style, file }) => imagePath(style, file))),
  );

  let next = 0;
  const rows = codes.map(({ styles }) => styles.map(() => next++));
  const splits = splitEmoji(
    codes.map((code, index) => ({
      ...code,
      pictures: rows[index].map(
        (row, i) =>
          `${code.styles[i]} ${fingerprint(images.subarray(row * IMAGE_BYTES, (row + 1) * IMAGE_BYTES))}`,
      ),
    })),
    readReservedCodes(),
  );
  const items = codes.flatMap(({ styles, file: _, ...code }, index) =>
    styles.map((style): EmojiItem => ({ ...code, style, split: splits[index] })),
  );
  return { images, items };
}

/**
 * Decodes image files to RGB of 32 x 32 pixels on white.
 *
 * @param paths PNG files, also grey or with a palette
 * @returns `[paths.length, 32, 32, 3]` bytes
 * @throws naming the file, if one is missing or cannot be decoded
 */
export async function decodeImages(paths: readonly string[]): Promise<Uint8Array> {
  const images = new Uint8Array(paths.length * IMAGE_BYTES);
  let next = 0;
  // Some decodes in flight keep both the disk and libvips' threads busy.
  const worker = async () => {
    while (next < paths.length) {
      const index = next++;
      const image = await decodeImage(paths[index]).catch((error: unknown) => {
        // The other workers have nothing to decode for.
        next = paths.length;
        throw error;
      });
      images.set(image, index * IMAGE_BYTES);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return images;
}

async function decodeImage(path: string): Promise<Uint8Array> {
  try {
    const { data, info } = await sharp(path)
      .toColourspace("srgb")
      .flatten({ background: "#ffffff" })
      .resize(IMAGE_SIZE, IMAGE_SIZE, { fit: "fill", kernel: "lanczos3" })
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.channels === 3) return data;
    // A grey image stays one channel: all three are equal.
    const grey = new Uint8Array(IMAGE_BYTES);
    for (let i = 0; i < IMAGE_BYTES; i++) grey[i] = data[Math.floor(i / 3) * info.channels];
    return grey;
  } catch (error) {
    throw new Error(`decodeImages: cannot decode ${path}: ${(error as Error).message}`);
  }
}

function imagePath(style: EmojiStyle, file: string): string {
  return join(packageFolder(`emoji-datasource-${style}`), "img", style, "64", file);
}

function fingerprint(image: Uint8Array): string {
  return createHash("sha256").update(image).digest("base64");
}

/** Indices of the items that a condition holds for. */
export function itemIndices(items: readonly EmojiItem[], condition: (item: EmojiItem) => boolean): number[] {
  return items.flatMap((item, index) => (condition(item) ? [index] : []));
}
