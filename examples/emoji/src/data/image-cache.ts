import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeFileAtomically } from "@dcr-js/tensor";

/** Beside the sources, ignored by git; removing it costs the next start a few seconds. */
const FOLDER = fileURLToPath(new URL("../../.cache/", import.meta.url));

/**
 * Decoded images from the cache, or decoded now and kept.
 *
 * @param name of the data set
 * @param key all that the bytes depend on: versions, size, the list of files
 * @param byteLength of the result
 * @param decode makes the bytes
 */
export async function cachedImages(
  name: string,
  key: string,
  byteLength: number,
  decode: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const path = join(FOLDER, `${name}-${createHash("sha256").update(key).digest("hex").slice(0, 16)}.bin`);
  try {
    const bytes = await readFile(path);
    if (bytes.length === byteLength) return new Uint8Array(bytes.buffer, bytes.byteOffset, byteLength);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const images = await decode();
  if (images.length !== byteLength) {
    throw new Error(`cachedImages: ${name} should decode to ${byteLength} bytes, got ${images.length}`);
  }
  await writeFileAtomically(path, images).catch((error: Error) => {
    // A folder that cannot be written costs time at the next start, nothing else.
    if (!["EACCES", "EROFS"].includes((error.cause as NodeJS.ErrnoException).code ?? "")) throw error;
  });
  return images;
}
