import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * Moves a job's outputs to where the user finds them, each by one rename: a folder there is whole. Goes on where a move of
 * before was interrupted, and replaces the outputs of a job that was done anew.
 */
export async function publishOutputs(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return;
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    // A folder is renamed to a place that is free or empty.
    await rm(join(to, name), { recursive: true, force: true });
    await rename(join(from, name), join(to, name));
  }
  await rm(from, { recursive: true });
}
