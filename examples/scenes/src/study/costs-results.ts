import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { runCommandLine } from "@dcr-js/cli";
import { writeFileAtomically } from "@dcr-js/tensor";
import { exampleFolder, resultsFolder, withPaths } from "./cells.js";
import { type StudyMethod, type StudyPart, sharedSettings } from "./plan.js";
import { medianSeconds, readMetrics } from "./raw-results.js";

/** The seconds of a step of each configuration, on a machine that does nothing else. */
export interface Costs {
  machine: string;
  node: string;
  /** Measured steps of each. */
  steps: number;
  /** Median, by configuration. */
  secondsPerStep: Record<string, number>;
}

const steps = 30;

const costsPath = (folder = resultsFolder) => join(folder, "costs.json");

/** Undefined where they are not measured yet. */
export async function readCosts(folder?: string): Promise<Costs | undefined> {
  const path = costsPath(folder);
  return existsSync(path) ? (JSON.parse(await readFile(path, "utf8")) as Costs) : undefined;
}

/** The parts whose configurations differ in the cost of a step. */
const measuredParts = ["question-1", "question-3", "question-4", "question-7"];

/** Measures 30 steps of each configuration on model set 0, one after the other, and writes the medians. */
export async function measureCosts(parts: readonly StudyPart[]): Promise<void> {
  const methods = parts
    .filter(({ name }) => measuredParts.includes(name))
    .flatMap((part) => part.methods.map((method) => ({ ...method, ...shortened(method) })));
  const { align, ...settings } = sharedSettings(0, "test");
  const config = {
    ...withPaths({ ...settings, evaluate: [] }),
    // A step costs the same whatever the projector has learned.
    align: { ...align, steps: 2 },
    methods,
    seeds: [0],
  };
  const run = join(exampleFolder, "study/work/costs");
  await rm(run, { recursive: true, force: true });
  await mkdir(dirname(run), { recursive: true });
  // JSON is YAML.
  await writeFileAtomically(`${run}.yaml`, JSON.stringify(config));
  await runCommandLine(["enhance", "--config", `${run}.yaml`, "--out", run, "--jobs", "1"]);
  if (!existsSync(join(run, "report.html")))
    throw new Error(`${run}: the run that measures costs did not end`);
  const rows = await readMetrics(run);
  const costs: Costs = {
    machine: `${cpus()[0].model}, one thread`,
    node: process.version,
    steps,
    secondsPerStep: Object.fromEntries(methods.map(({ name }) => [name, medianSeconds(rows, name)])),
  };
  await writeFileAtomically(costsPath(), `${JSON.stringify(costs, null, 1)}\n`);
  await rm(run, { recursive: true });
}

function shortened({ enhance }: StudyMethod): Partial<StudyMethod> {
  return { enhance: { ...(enhance as object), steps, warmupSteps: 0 } };
}
