import { createHash } from "node:crypto";
import { z } from "zod";
import { openRegularFile } from "../shared/regular-file.js";

/** A file's hash, and the marks by which the file is known not to have changed since. */
export const hashedFileSchema = z.strictObject({
  sha256: z.string(),
  size: z.string(),
  /** Nanoseconds since 1970. */
  modified: z.string(),
  /** When name, owner or contents last changed, which no program can set back. Nanoseconds since 1970. */
  changed: z.string(),
  inode: z.string(),
});

export type HashedFile = z.infer<typeof hashedFileSchema>;

/** Hashes of files by their paths. */
export type HashedFiles = Record<string, HashedFile>;

const chunkBytes = 2 ** 22;

/**
 * SHA-256 of the whole of a file, about a second for each GB.
 *
 * @param known hashes of before: a file whose size, times and inode are still the same is not read again
 * @throws one line that begins with the path, where it is no file
 */
export async function hashFile(path: string, known: HashedFiles = {}): Promise<HashedFile> {
  const { file } = await openRegularFile(path);
  try {
    const stats = await file.stat({ bigint: true });
    const marks = {
      size: String(stats.size),
      modified: String(stats.mtimeNs),
      changed: String(stats.ctimeNs),
      inode: String(stats.ino),
    };
    const before = known[path];
    const isKnown = (Object.keys(marks) as (keyof typeof marks)[]).every(
      (mark) => before?.[mark] === marks[mark],
    );
    if (before && isKnown) return before;
    const hash = createHash("sha256");
    const buffer = Buffer.alloc(chunkBytes);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, chunkBytes, null);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
    }
    return { sha256: hash.digest("hex"), ...marks };
  } finally {
    await file.close();
  }
}
