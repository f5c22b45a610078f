import { nodeModule } from "../shared/node-modules.js";
import { type FileContents, type StagedFile, stageFile } from "./write-file-atomically.js";

/** Files that belong together in one folder. */
export interface FolderFiles {
  /** The contents by name. */
  files: Readonly<Record<string, FileContents>>;
  /** The one of them without which every reader refuses the folder. */
  key: string;
  /** Whether a file, by its name, belongs to what the folder held before: it is removed where it is none of `files`. */
  isFormer: (name: string) => boolean;
}

/**
 * Writes files that belong together. All are written beside their places first; then `key` is removed, the others take their places,
 * the former ones are removed, and `key` comes last. So the folder holds the old files or the new; one that a kill interrupted between
 * the two has no `key`, and is refused by every reader. Node alone.
 *
 * @param folder made if it is missing; files of other names stay
 * @throws where a file cannot be written, naming it. The folder is then as it was; but where a file can be written and not put in its
 * place, it has no `key`.
 */
export async function writeFolder(folder: string, { files, key, isFormer }: FolderFiles): Promise<void> {
  const { join } = nodeModule("node:path");
  const { readdir, rm } = nodeModule("node:fs/promises");
  const names = [...Object.keys(files).filter((name) => name !== key), key];
  for (const name of names) await refuseFolder(join(folder, name));
  const staged: StagedFile[] = [];
  try {
    for (const name of names) staged.push(await stageFile(join(folder, name), files[name]!));
  } catch (error) {
    for (const file of staged) await file.discard();
    throw error;
  }
  let committed = 0;
  try {
    await rm(join(folder, key), { force: true });
    const former = (await readdir(folder)).filter((name) => !names.includes(name) && isFormer(name));
    for (; committed < staged.length - 1; committed++) await staged[committed]!.commit();
    for (const name of former) await rm(join(folder, name), { force: true });
    await staged[committed]!.commit();
  } catch (error) {
    for (const file of staged.slice(committed)) await file.discard();
    throw error;
  }
}

/** A file cannot take the place of a folder: to be known before anything of the former files is removed. */
async function refuseFolder(path: string): Promise<void> {
  const stats = await nodeModule("node:fs/promises")
    .lstat(path)
    .catch(() => undefined);
  if (stats?.isDirectory()) throw new Error(`${path}: could not be written (a folder is in its place)`);
}
