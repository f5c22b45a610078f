import type { FileHandle } from "node:fs/promises";
import { nodeModule } from "./node-modules.js";

/**
 * Writes a whole file or nothing: to a temporary file beside it, flushed to disk, then renamed over `path`. Missing
 * folders are made. A reader sees the old contents or the new, never a part. Node alone.
 *
 * @param contents The file's contents, or the chunks of them in order.
 * @throws an error that names the file when it cannot be written; what was there before is then untouched.
 */
export async function writeFileAtomically(
  path: string,
  contents: Uint8Array | string | AsyncIterable<Uint8Array>,
): Promise<void> {
  const { mkdir, open, rename, rm } = nodeModule("node:fs/promises");
  const temporary = `${path}.${nodeModule("node:crypto").randomUUID()}.tmp`;
  try {
    await mkdir(nodeModule("node:path").dirname(path), { recursive: true });
    const file = await open(temporary, "wx");
    try {
      await writeTo(file, contents);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new Error(`${path}: could not be written (${(error as Error).message})`, { cause: error });
  }
}

async function writeTo(
  file: FileHandle,
  contents: Uint8Array | string | AsyncIterable<Uint8Array>,
): Promise<void> {
  if (typeof contents === "string" || contents instanceof Uint8Array) return file.writeFile(contents);
  for await (const chunk of contents) await file.writeFile(chunk);
}
