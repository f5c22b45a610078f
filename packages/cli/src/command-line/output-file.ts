import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";

/** Checks that a file can be written, before any work is done for it. @throws an error that names `--out` and the reason */
export function checkOutputFile(path: string): void {
  const folder = dirname(path);
  const kind = statSync(folder, { throwIfNoEntry: false });
  if (!kind?.isDirectory()) throw new Error(`--out: ${folder}: no such folder`);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(`--out: ${path} is a folder, expected a file`);
  }
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new Error(`--out: ${folder}: nothing may be written here`);
  }
}
