import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { nodeModule } from "./node-modules.js";

/**
 * Opens a file for reading. Anything else than a regular file is refused: a FIFO would wait for a writer, and a device has no end.
 * Node only.
 *
 * @returns the open file, which the caller closes, and its size
 * @throws one line that begins with the path
 */
export async function openRegularFile(path: string): Promise<{ file: FileHandle; size: number }> {
  const { open } = nodeModule("node:fs/promises");
  const { O_RDONLY, O_NONBLOCK = 0 } = nodeModule("node:fs").constants;
  const file = await open(path, O_RDONLY | O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    const missing = error.code === "ENOENT" || error.code === "ENOTDIR";
    throw Object.assign(
      new Error(`${path}: ${missing ? "no such file" : `could not be opened (${error.message})`}`, {
        cause: error,
      }),
      { code: missing ? "ENOENT" : error.code },
    );
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error(`${path}: expected a file, got ${kindOf(stats)}`);
    return { file, size: stats.size };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  return stats.isCharacterDevice() || stats.isBlockDevice() ? "a device" : "something else";
}

/** Fills `into` with the file's bytes from `from` on. Throws where the file ends before. */
export async function readInto(
  file: FileHandle,
  into: Uint8Array,
  from: number,
  path: string,
): Promise<void> {
  let done = 0;
  while (done < into.length) {
    // One read call takes less than 2 GiB.
    const wanted = Math.min(into.length - done, 2 ** 30);
    const { bytesRead } = await file.read(into, done, wanted, from + done);
    if (bytesRead === 0) {
      throw new Error(
        `${path}: truncated while being read, expected ${into.length} bytes at ${from}, got ${done}`,
      );
    }
    done += bytesRead;
  }
}

/** A small file's bytes. Throws where it is longer than `limit`, one line that begins with the path. */
export async function readSmallFile(path: string, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const { file, size } = await openRegularFile(path);
  try {
    if (size > limit) throw new Error(`${path}: expected at most ${limit} bytes, got ${size}`);
    const bytes = new Uint8Array(size);
    await readInto(file, bytes, 0, path);
    return bytes;
  } finally {
    await file.close();
  }
}
