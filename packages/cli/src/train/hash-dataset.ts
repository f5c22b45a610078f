import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import type { ImageDataset } from "@dcr-js/data";
import { openRegularFile } from "../shared/regular-file.js";

/** At most this many files are asked for their size, evenly apart, and of some of these the first bytes are read. */
const sizesOf = 10_000;
const readOf = 64;
const firstBytes = 2 ** 14;

/**
 * Tells a data set from others by the images' names and a sample of their files: sizes, and the first bytes of a few.
 *
 * @param texts what else belongs to the data, such as the statements of pairs
 */
export async function hashDataset(dataset: ImageDataset, texts: readonly string[] = []): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([dataset.fingerprint, texts]));
  // The fingerprint of shards holds their sizes.
  if (dataset.access === "stream") return hash.digest("hex");
  const { length } = dataset;
  const asked = evenly(length, sizesOf);
  const read = new Set(evenly(asked.length, readOf).map((i) => asked[i]!));
  for (const index of asked) {
    const { content, label = null } = dataset.entry(index);
    if (!("path" in content)) continue;
    hash.update(JSON.stringify([index, label, await sizeOf(content.path)]));
    if (read.has(index)) hash.update(await beginningOf(content.path));
  }
  return hash.digest("hex");
}

/** Null where nothing is there: an image that cannot be read is skipped in training. */
async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ size }) => size,
    () => null,
  );
}

async function beginningOf(path: string): Promise<Uint8Array> {
  const opened = await openRegularFile(path).catch(() => undefined);
  if (!opened) return new Uint8Array();
  try {
    const { buffer, bytesRead } = await opened.file.read(Buffer.alloc(firstBytes), 0, firstBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await opened.file.close();
  }
}

/** Up to `count` of the numbers below `n`, evenly apart, the first and the last among them. */
function evenly(n: number, count: number): number[] {
  if (n <= count) return Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.floor((i * (n - 1)) / (count - 1)));
}
