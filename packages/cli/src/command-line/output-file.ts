import { accessSync, constants, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";

/** Checks that a file can be written, before any work is done for it. @throws an error that names `--out` and the reason */
export function checkOutputFile(path: string): void {
  const folder = dirname(path);
  if (!statOf(folder)?.isDirectory()) throw new Error(`--out: ${folder}: no such folder`);
  const there = statOf(path);
  if (there?.isDirectory()) throw new Error(`--out: ${path} is a folder, expected a file`);
  // The file is written beside its place and renamed, which would replace a device such as /dev/full.
  if (there && !there.isFile()) throw new Error(`--out: ${path} is a device or a pipe, expected a file`);
  checkWritable(folder);
}

/** Checks that a folder can be made or written to, before any work is done for it. @throws an error that names `--out` and the reason */
export function checkOutputFolder(path: string): void {
  let there = path;
  while (!statOf(there)) {
    // A drive that is not there is its own parent.
    if (dirname(there) === there) throw new Error(`--out: ${path}: ${there} does not exist`);
    there = dirname(there);
  }
  if (!statOf(there)!.isDirectory()) throw new Error(`--out: ${there} is a file, expected a folder`);
  checkWritable(there);
}

/** Undefined where there is nothing, or a part of the path is a file. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw new Error(`--out: ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function checkWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new Error(`--out: ${folder}: nothing may be written here`);
  }
}
