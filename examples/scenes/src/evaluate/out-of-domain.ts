import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { resize } from "@dcr-js/data";
import sharp from "sharp";
import type { Images } from "./encode-images.js";

/** Images of something else than scenes, with their classes. */
export interface OutOfDomainSet extends Images {
  labels: Int32Array;
}

const COLUMNS = 40;

/** 1,000 handwritten digits of MNIST, 100 of each: dark on white, as scenes are bright. @param size width and height in pixels */
export async function loadDigits(size: number): Promise<OutOfDomainSet> {
  const digits = await readGrid("mnist.png", { cell: 28, count: 1000, size });
  return {
    size,
    images: digits.map((value) => 255 - value),
    labels: Int32Array.from({ length: 1000 }, (_, i) => Math.floor(i / 100)),
  };
}

/** Single emoji on white of kinds that no scene shows, 16 of each of 25 kinds. @param size width and height in pixels */
export async function loadSingleEmoji(size: number): Promise<OutOfDomainSet> {
  const list = await readFile(
    fileURLToPath(new URL("../../data/single-emoji.json", import.meta.url)),
    "utf8",
  );
  const { perKind, kinds } = JSON.parse(list) as { perKind: number; kinds: string[] };
  const count = perKind * kinds.length;
  return {
    size,
    images: await readGrid("single-emoji.png", { cell: 32, count, size }),
    labels: Int32Array.from({ length: count }, (_, i) => Math.floor(i / perKind)),
  };
}

/** The cells of a PNG with 40 in a row, each resized (bilinear, as Pillow does). */
async function readGrid(
  name: string,
  { cell, count, size }: { cell: number; count: number; size: number },
): Promise<Uint8Array> {
  const path = fileURLToPath(new URL(`../../data/${name}`, import.meta.url));
  const { data, info } = await sharp(await readFile(path))
    .toColourspace("srgb")
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const width = COLUMNS * cell;
  if (info.width !== width || info.height !== Math.ceil(count / COLUMNS) * cell || info.channels !== 3) {
    throw new Error(
      `${path}: expected ${count} images of ${cell} x ${cell} pixels, ${COLUMNS} in a row, got ${info.channels} channels of ${info.width} x ${info.height}`,
    );
  }
  const bytes = size * size * 3;
  const images = new Uint8Array(count * bytes);
  for (let i = 0; i < count; i++) {
    const [left, top] = [(i % COLUMNS) * cell, Math.floor(i / COLUMNS) * cell];
    const pixels = new Uint8Array(cell * cell * 3);
    for (let y = 0; y < cell; y++) {
      const from = ((top + y) * width + left) * 3;
      pixels.set(data.subarray(from, from + cell * 3), y * cell * 3);
    }
    const image = { data: pixels, width: cell, height: cell };
    images.set(resize(image, { width: size, height: size, resample: "bilinear" }).data, i * bytes);
  }
  return images;
}
