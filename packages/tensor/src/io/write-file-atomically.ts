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
 * folders are made. A reader sees the old contents or the new, never a part. A file that was there keeps its permissions, and a symbolic
 * link stays and leads to the new contents. Temporary files that processes left in the folder when they died are removed. Node only.
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
  const { basename, dirname, join } = nodeModule("node:path");
  const failed = (error: unknown): Error =>
    new Error(`${path}: could not be written (${(error as Error).message})`, { cause: error });
  let place = path;
  let temporary: string | undefined;
  const discard = async (): Promise<void> => {
    if (temporary) await rm(temporary, { force: true }).catch(() => {});
  };
  try {
    place = await linkTarget(path);
    const mode = await modeOf(place);
    await mkdir(dirname(place), { recursive: true });
    await removeLeftovers(dirname(place));
    const tail = `.${processTag()}.${nodeModule("node:crypto").randomUUID()}.tmp`;
    temporary = join(dirname(place), shortened(basename(place), longestName - tail.length) + tail);
    const file = await open(temporary, "wx", mode);
    try {
      // The mask of the process took bits from it.
      if (mode !== undefined) await file.chmod(mode);
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
        await rename(temporary!, place);
      } catch (error) {
        await discard();
        throw failed(error);
      }
    },
    discard,
  };
}

/** Bytes that a file's name may have. */
const longestName = 255;

/** The beginning of a name, of so many bytes at most. */
function shortened(name: string, bytes: number): string {
  const characters = [...name];
  while (Buffer.byteLength(characters.join("")) > bytes) characters.pop();
  return characters.join("");
}

/** Links that lead to one another before they count as a circle. */
const mostLinks = 40;

/** Where a path leads that may be a symbolic link, to a file that may be missing: the link is to stay. */
async function linkTarget(path: string): Promise<string> {
  const { readlink } = nodeModule("node:fs/promises");
  const { dirname, resolve } = nodeModule("node:path");
  let place = path;
  for (let links = 0; links < mostLinks; links++) {
    const target = await readlink(place).catch(() => undefined);
    if (target === undefined) return place;
    place = resolve(dirname(place), target);
  }
  throw new Error("its symbolic links lead in a circle");
}

/** The permissions of the file at a place, or undefined where there is none. A folder or a device stays where it is. */
async function modeOf(place: string): Promise<number | undefined> {
  const stats = await nodeModule("node:fs/promises")
    .stat(place)
    .catch(() => undefined);
  if (stats === undefined) return undefined;
  if (stats.isDirectory()) throw new Error("a folder is in its place");
  if (!stats.isFile()) throw new Error("its place is taken by what is no file");
  return stats.mode & 0o777;
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
