import type { Command } from "commander";
import { integer, text } from "./parse-option.js";

/** How a run is worked on and where it goes; nothing of it changes a number. */
export interface RunOptions {
  out?: string;
  jobs?: number;
}

/** Adds `--out` and `--jobs` to a command that starts or plans a run. */
export const addRunOptions = (command: Command): Command =>
  command
    .option("--out <folder>", "where the run goes; a new folder under runs/ by default", text)
    .option(
      "--jobs <n>",
      "jobs at the same time; by default what cores and memory allow, two at most",
      integer,
    );

/** @throws on a number of jobs below 1 */
export function readRunOptions(command: Command): RunOptions {
  const { out, jobs } = command.opts<RunOptions>();
  if (jobs !== undefined && jobs < 1) throw new Error(`--jobs: expected at least 1, got ${jobs}`);
  return { ...(out !== undefined && { out }), ...(jobs !== undefined && { jobs }) };
}
