import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { temporaryName } from "../shared/process-tag.js";
import { type Job, jobFiles } from "./jobs.js";

/**
 * Removes the temporary files and unfinished outputs that an earlier process left in a run. Other files that end in `.tmp` are not ours. Only
 * for the owner of the run's lock, when no worker runs.
 */
export async function removeLeftovers(run: string, jobs: readonly Job[]): Promise<void> {
  const files = jobs.map((job) => jobFiles(run, job));
  for (const folder of [run, ...files.map(({ folder }) => folder)]) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (temporaryName.test(name)) await rm(join(folder, name), { force: true });
    }
  }
  for (const { unfinishedOutput } of files) await rm(unfinishedOutput, { recursive: true, force: true });
}
