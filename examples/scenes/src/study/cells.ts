import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommandLine } from "@dcr-js/cli";
import { writeFileAtomically } from "@dcr-js/tensor";
import { type StudyPart, sharedSettings } from "./plan.js";
import { type RawResult, readRun } from "./raw-results.js";

/** The folder of the example. */
export const exampleFolder = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const resultsFolder = join(exampleFolder, "study/results");

/** A part on one model set with one seed: one run of the command. */
export interface Cell {
  part: StudyPart;
  set: number;
  seed: number;
}

export const cellsOf = (part: StudyPart): Cell[] =>
  part.sets.flatMap((set) => part.seeds.map((seed) => ({ part, set, seed })));

/** Everything that the cell's figures are a function of, beside the code. */
export const settingsOf = ({ part, set, seed }: Cell) => ({
  ...sharedSettings(set, part.split),
  methods: ["original", ...part.methods],
  seeds: [seed],
});

export const resultPath = ({ part, set, seed }: Cell, folder = resultsFolder): string =>
  join(folder, part.name, `set-${set}-seed-${seed}.json`);

/** A cell's committed result. @throws where it is of other settings than the plan's */
export async function readResult(cell: Cell, folder?: string): Promise<RawResult | undefined> {
  const path = resultPath(cell, folder);
  if (!existsSync(path)) return undefined;
  const result = JSON.parse(await readFile(path, "utf8")) as RawResult;
  if (JSON.stringify(result.settings) !== JSON.stringify(settingsOf(cell))) {
    throw new Error(
      `${path}: its settings are not those of the plan; a result is never run again under another plan`,
    );
  }
  return result;
}

/** Settings whose paths start from the example's folder, with absolute ones. */
export function withPaths(
  settings: Pick<ReturnType<typeof settingsOf>, "encoder" | "diffusion" | "images" | "evaluate">,
): object {
  const { encoder, diffusion, images, evaluate, ...rest } = settings;
  const [e, d, i, ...v] = [encoder, diffusion, images, ...evaluate].map((path) =>
    resolve(exampleFolder, path),
  );
  return { encoder: e, diffusion: d, images: i, evaluate: v, ...rest };
}

/** The folder of a cell's run, with weights: outside of git. */
export function runFolder(cell: Cell): string {
  const text = JSON.stringify(settingsOf(cell), null, 2);
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 8);
  return join(exampleFolder, "study/work", `${cell.part.name}-set-${cell.set}-seed-${cell.seed}-${hash}`);
}

/**
 * Runs a cell through the command, or goes on with it, and writes its result. The run's folder, with weights, lies in `study/work`,
 * outside of git.
 *
 * @returns whether it is done; false where it was stopped or failed, and the command has said why
 */
export async function runCell(cell: Cell, jobs: number): Promise<boolean> {
  const settings = settingsOf(cell);
  const run = runFolder(cell);
  const done = join(run, "report.html");
  if (!existsSync(done)) {
    const config = `${run}.yaml`;
    const started = existsSync(join(run, "config.yaml"));
    await mkdir(dirname(run), { recursive: true });
    // JSON is YAML.
    if (!started) await writeFileAtomically(config, JSON.stringify(withPaths(settings)));
    const what = started ? ["--resume", run] : ["--config", config, "--out", run];
    await runCommandLine(["enhance", ...what, "--jobs", String(jobs)]);
    if (!existsSync(done)) return false;
  }
  const path = resultPath(cell);
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomically(path, `${JSON.stringify(await readRun(run, settings), null, 1)}\n`);
  return true;
}
