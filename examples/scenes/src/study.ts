#!/usr/bin/env node
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { initialize, writeFileAtomically } from "@dcr-js/tensor";
import { Command, InvalidArgumentError } from "commander";
import { type Cell, cellsOf, exampleFolder, readResult, runCell } from "./study/cells.js";
import { chooseAll } from "./study/choose-all.js";
import { measureCosts, readCosts } from "./study/costs-results.js";
import { layerConflictFile, measureLayerConflict } from "./study/layer-conflict-results.js";
import { measureOtherScenes, otherScenesFile } from "./study/other-scenes-results.js";
import { studyPages } from "./study/pages.js";
import { type Chosen, estimatedMinutes, type StudyPart, testParts, tuningParts } from "./study/plan.js";
import type { RawResult } from "./study/raw-results.js";
import { measureTheoremOne, theoremOneFile } from "./study/theorem-1-results.js";

/** The study of docs/study/protocol.md: runs the missing runs, and writes its pages. */

const pagesFolder = join(exampleFolder, "../../docs/study");
const chosenPath = join(exampleFolder, "study/chosen.json");

const count = (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected an integer, 1 or more");
  return value;
};

const { only, jobs, dryRun, check, pages } = new Command("study")
  .description(
    "Runs what is missing of docs/study/protocol.md, and writes the study's pages. Ctrl-C stops; the same command goes on.",
  )
  .option("--only <part>", "one part only, such as tuning-rec or question-1")
  .option("--jobs <n>", "jobs at the same time", count, 1)
  .option("--dry-run", "list the runs and how long they may take, and run nothing")
  .option(
    "--check",
    "compare every table and figure of docs/study with what the committed results give; fail if they differ",
  )
  .option("--pages", "write the pages only")
  .parse()
  .opts<{ only?: string; jobs: number; dryRun?: boolean; check?: boolean; pages?: boolean }>();

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

function fail(message: string): never {
  console.error(`error: ${message}`);
  process.exit(1);
}

/** The parts that can be run now: those on test when every method's configuration is chosen and written down. */
async function plannedParts(): Promise<StudyPart[]> {
  const byRule = await chooseAll();
  if (!byRule) {
    if (existsSync(chosenPath)) fail(`${chosenPath}: there is a choice, and results of tuning are missing`);
    return tuningParts;
  }
  if (!existsSync(chosenPath)) return tuningParts;
  const chosen = JSON.parse(await readFile(chosenPath, "utf8")) as Chosen;
  if (json(chosen) !== json(byRule)) fail(`${chosenPath}: this is not what the protocol's rule chooses`);
  return [...tuningParts, ...testParts(chosen)];
}

async function writePages(): Promise<void> {
  await mkdir(pagesFolder, { recursive: true });
  for (const [name, content] of Object.entries(await studyPages())) {
    await writeFileAtomically(join(pagesFolder, name), content);
  }
}

async function checkPages(): Promise<void> {
  const expected = await studyPages();
  const wrong: string[] = [];
  for (const [name, content] of Object.entries(expected)) {
    const path = join(pagesFolder, name);
    if (!existsSync(path) || (await readFile(path, "utf8")) !== content) wrong.push(name);
  }
  const there = (await readdir(pagesFolder)).filter((name) => name !== "protocol.md");
  wrong.push(...there.filter((name) => !(name in expected)));
  if (wrong.length > 0) fail(`docs/study: ${wrong.join(", ")} differ from what the committed results give`);
  console.log(`docs/study: ${Object.keys(expected).length} files agree with the committed results`);
}

/** Minutes of a cell on one core: by its methods' measured steps where results have them. */
function minutesOf({ part }: Cell, measured: ReadonlyMap<string, number>): number {
  const alignment = 1;
  return part.methods.reduce((sum, { method, enhance }) => {
    const { steps = 300 } = (enhance ?? {}) as { steps?: number };
    const seconds = measured.get(method);
    return sum + (seconds === undefined ? estimatedMinutes[method] : (seconds * steps) / 60 + 0.5);
  }, alignment);
}

/** Questions that are measured on the encoders of question 1, and the minutes of one core that a cell takes. */
const measurements = {
  "other-scenes": { read: otherScenesFile.read, measure: measureOtherScenes, minutes: 1.5 },
  "question-4-layers": { read: layerConflictFile.read, measure: measureLayerConflict, minutes: 2.5 },
  "question-6": { read: theoremOneFile.read, measure: measureTheoremOne, minutes: 0.5 },
};
type Measurement = keyof typeof measurements;

/** Cells of question 1 that a measurement has no result of. */
async function missingMeasurements(name: Measurement, question1: StudyPart): Promise<Cell[]> {
  const cells = cellsOf(question1);
  const found = await Promise.all(cells.map((cell) => measurements[name].read(cell)));
  return cells.filter((_, i) => found[i] === undefined);
}

async function runMeasurement(name: Measurement, question1: StudyPart): Promise<void> {
  await initialize({ device: "wasm" });
  for (const cell of await missingMeasurements(name, question1)) {
    console.log(`${name}, set ${cell.set}, seed ${cell.seed}`);
    await measurements[name].measure(cell);
    await writePages();
  }
}

function measuredSeconds(results: readonly RawResult[]): Map<string, number> {
  const byMethod = new Map<string, number[]>();
  for (const { methods } of results) {
    for (const [name, { training }] of Object.entries(methods)) {
      const [method] = name.split(" ");
      if (training) byMethod.set(method, [...(byMethod.get(method) ?? []), training.secondsPerStep]);
    }
  }
  return new Map(
    [...byMethod].map(([method, seconds]) => [method, seconds.reduce((a, b) => a + b, 0) / seconds.length]),
  );
}

/** Prints the missing runs and how many minutes each may take. */
async function listMissing(
  parts: readonly StudyPart[],
  measured: { names: readonly Measurement[]; question1: StudyPart | undefined },
): Promise<void> {
  const cells = parts.flatMap(cellsOf);
  const results = await Promise.all(cells.map((cell) => readResult(cell)));
  const seconds = measuredSeconds(results.filter((result) => result !== undefined));
  const lines = cells
    .filter((_, i) => results[i] === undefined)
    .map((cell) => ({
      ...cell,
      name: cell.part.name,
      what: `${cell.part.methods.length} methods, `,
      minutes: minutesOf(cell, seconds),
    }));
  let total = cells.length;
  for (const name of measured.question1 ? measured.names : []) {
    const { minutes } = measurements[name];
    total += cellsOf(measured.question1!).length;
    const missing = await missingMeasurements(name, measured.question1!);
    lines.push(...missing.map((cell) => ({ ...cell, name, what: "", minutes })));
  }
  for (const { name, set, seed, what, minutes } of lines) {
    console.log(`${name}, set ${set}, seed ${seed}: ${what}${minutes.toFixed(0)} minutes`);
  }
  const hours = lines.reduce((sum, { minutes }) => sum + minutes, 0) / 60;
  console.log(
    `${total - lines.length} of ${total} runs are done; ${hours.toFixed(1)} hours of one core are left`,
  );
}

async function main(): Promise<void> {
  if (check) return checkPages();
  if (pages) return writePages();
  const parts = await plannedParts();
  const question1 = parts.find(({ name }) => name === "question-1");
  const names = [
    ...parts.map(({ name }) => name),
    ...(question1 ? [...Object.keys(measurements), "costs"] : []),
  ];
  if (only !== undefined && !names.includes(only)) {
    fail(`--only: expected one of ${names.join(", ")}, got "${only}"`);
  }
  const asked = (name: string) => only === undefined || name === only;
  const askedParts = parts.filter(({ name }) => asked(name));
  const askedMeasurements = (Object.keys(measurements) as Measurement[]).filter(asked);
  if (dryRun) {
    await listMissing(askedParts, { names: askedMeasurements, question1 });
    if (question1 && asked("costs") && !(await readCosts()))
      console.log("costs: 4 minutes, not counted above");
    return;
  }
  for (const cell of askedParts.flatMap(cellsOf)) {
    if (await readResult(cell)) continue;
    const { part, set, seed } = cell;
    console.log(`\n${part.name}, set ${set}, seed ${seed}`);
    if (!(await runCell(cell, jobs))) {
      process.exitCode ||= 1;
      return;
    }
    await writePages();
  }
  for (const name of question1 ? askedMeasurements : []) await runMeasurement(name, question1!);
  if (question1 && asked("costs") && !(await readCosts())) {
    console.log("\ncosts: let nothing else run on this machine");
    await measureCosts(parts);
    await writePages();
  }
  const chosen = await chooseAll();
  if (chosen && !existsSync(chosenPath)) {
    await writeFileAtomically(chosenPath, json(chosen));
    console.log(`tuning is done: commit ${chosenPath}, then run this again for the questions on test`);
  }
}

await main();
