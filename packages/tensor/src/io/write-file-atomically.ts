import type { FileHandle } from "node:fs/promises";
import { checkText } from "../shared/check-options.js";
import { isProcessRunning } from "../shared/is-process-running.js";
import { nodeModule } from "../shared/node-modules.js";
import { processTag, temporaryName } from "../shared/process-tag.js";

/** The whole of a file, or its chunks in order. */
export type FileContents = Uint8Array | string | AsyncIterable<Uint8Array>;

/** A file that is written and flushed beside its place, and not yet in it. */
export interface StagedFile {
  /** Puts it in its place, over what was there. */
  commit(): Promise<void>;
  /** Removes it; what was in its place stays. */
  discard(): Promise<void>;
}

/**
 * Writes a whole file or nothing: to a temporary file beside it, flushed to disk, then renamed over `path`. Missing
 * folders are made. A reader sees the old contents or the new, never a part. Temporary files that processes left in the folder when they
 * died are removed. Node only.
 *
 * @param contents The file's contents, or the chunks of them in order.
 * @throws an error that names the file when it cannot be written; what was there before is then untouched.
 */
export async function writeFileAtomically(path: string, contents: FileContents): Promise<void> {
  const staged = await stageFile(path, contents);
  await staged.commit();
}

/**
 * The first half of {@link writeFileAtomically}, for files that take their places together.
 *
 * @throws an error that names the file when it cannot be written; nothing of it is left then
 */
export async function stageFile(path: string, contents: FileContents): Promise<StagedFile> {
  checkText("writeFileAtomically: path", path);
  const { mkdir, open, rename, rm } = nodeModule("node:fs/promises");
  const { dirname } = nodeModule("node:path");
  const failed = (error: unknown): Error =>
    new Error(`${path}: could not be written (${(error as Error).message})`, { cause: error });
  const temporary = `${path}.${processTag()}.${nodeModule("node:crypto").randomUUID()}.tmp`;
  const discard = async (): Promise<void> => {
    await rm(temporary, { force: true }).catch(() => {});
  };
  try {
    await mkdir(dirname(path), { recursive: true });
    await removeLeftovers(dirname(path));
    const file = await open(temporary, "wx");
    try {
      await writeTo(file, contents);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await discard();
    throw failed(error);
  }
  return {
    commit: async () => {
      try {
        await rename(temporary, path);
      } catch (error) {
        await discard();
        throw failed(error);
      }
    },
    discard,
  };
}

async function writeTo(file: FileHandle, contents: FileContents): Promise<void> {
  if (typeof contents === "string" || contents instanceof Uint8Array) return file.writeFile(contents);
  for await (const chunk of contents) await file.writeFile(chunk);
}

/** Folders in which this process looked for leftovers: once is enough, and a folder may hold many files. */
const searched = new Set<string>();

/** Milliseconds that a temporary file lies untouched before it counts as left behind, whoever made it. */
const day = 24 * 60 * 60 * 1000;

/**
 * Removes the temporary files in a folder whose process no longer runs. Nobody can tell of a process of another machine or container, or where an
 * id was given out again: there the file's age decides.
 */
async function removeLeftovers(folder: string): Promise<void> {
  const { readdir, rm, stat } = nodeModule("node:fs/promises");
  const { join, resolve } = nodeModule("node:path");
  if (searched.has(resolve(folder))) return;
  searched.add(resolve(folder));
  const [machine] = processTag().split("-");
  const start = Date.now() - 1000 * process.uptime();
  // A folder may allow to write and not to look.
  for (const entry of await readdir(folder).catch(() => [])) {
    const [, where, id] = temporaryName.exec(entry) ?? [];
    if (where === undefined) continue;
    const path = join(folder, entry);
    const touched = (await stat(path).catch(() => undefined))?.mtimeMs ?? Infinity;
    const pid = Number(id);
    const hasEnded = where === machine && (pid === process.pid ? touched < start : !isProcessRunning(pid));
    if (hasEnded || touched < Date.now() - day) await rm(path, { force: true });
  }
}
