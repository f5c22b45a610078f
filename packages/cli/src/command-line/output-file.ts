import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../shared/message-of.js";
import { largestHeader } from "../shared/safetensors-header.js";

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

/**
 * Checks that a file that will be replaced is one of the kind that is written, and no photo or table that a slip names.
 *
 * @throws an error that names `--out`
 */
export function refuseOtherThanSafetensors(path: string): void {
  if (!statOf(path)?.size) return;
  const start = Buffer.alloc(9);
  const file = openSync(path, "r");
  try {
    readSync(file, start, 0, start.length, 0);
  } finally {
    closeSync(file);
  }
  // The length of the header, then its JSON.
  if (start.readBigUInt64LE() <= largestHeader && start[8] === 0x7b) return;
  throw new Error(
    `--out: ${path} is there already and is no safetensors file; delete it, or take another name`,
  );
}

/**
 * Checks that a folder can be made or written to, before any work is done for it.
 *
 * @param option that names the folder @throws an error that names the option and the reason
 */
export function checkOutputFolder(path: string, option = "--out"): void {
  let there = path;
  while (!statOf(there, option)) {
    if (isLink(there)) throw new Error(`${option}: ${there} is a link that leads nowhere`);
    // A drive that is not there is its own parent.
    if (dirname(there) === there) throw new Error(`${option}: ${path}: ${there} does not exist`);
    there = dirname(there);
  }
  if (!statOf(there, option)!.isDirectory())
    throw new Error(`${option}: ${there} is a file, expected a folder`);
  checkWritable(there, option);
}

/** Undefined where there is nothing, or a part of the path is a file. */
function statOf(path: string, option = "--out"): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw new Error(`${option}: ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  } catch {
    return false;
  }
}

function checkWritable(folder: string, option = "--out"): void {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    // The kernel's own file systems take no files from anybody, and say so only when one is made.
    if (/^\/(proc|sys)(\/|$)/.test(realpathSync(folder))) throw new Error();
  } catch {
    throw new Error(`${option}: ${folder}: nothing may be written here`);
  }
}
