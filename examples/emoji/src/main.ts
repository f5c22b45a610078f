#!/usr/bin/env node
import { existsSync, statfsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { deviceChoices, initialize, writeFileAtomically } from "@dcr-js/tensor";
import { Command, InvalidArgumentError } from "commander";
import { loadEmoji } from "./data/emoji.js";
import { loadMnist } from "./data/mnist.js";
import { writeReport } from "./report/report.js";
import {
  defaultSettings,
  methodNames,
  type RunConfig,
  readRunConfig,
  runConfigSchema,
} from "./run/config.js";
import { loadModels } from "./run/models.js";
import { resultsTable, writeResults } from "./run/results.js";
import { RunStopped, runJobs } from "./run/run-jobs.js";

const integer = (least: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new InvalidArgumentError(`expected an integer, at least ${least}`);
  }
  return value;
};
const list = (text: string) => text.split(",").map((part) => part.trim());
const integers = (text: string) => list(text).map(integer(0));
const oneOf = (allowed: readonly string[]) => (text: string) => {
  for (const name of list(text)) {
    if (!allowed.includes(name)) throw new InvalidArgumentError(`"${name}" is none of ${allowed.join(", ")}`);
  }
  return list(text);
};

interface CommandLine {
  methods: RunConfig["methods"];
  steps?: number;
  alignSteps?: number;
  batch?: number;
  seeds?: number[];
  seed: number;
  device: string[];
  learningRate?: number;
  evaluate: string[];
  quick: boolean;
  out?: string;
  resume?: string;
}

const program = new Command("npm start --")
  .description(
    "Enhances a tiny CLIP encoder with Diffusion Contrastive Reconstruction on real emoji images, beside its baselines,\n" +
      "and reports what each method did to D-Ability and P-Ability.",
  )
  .option("--methods <names>", "comma-separated", oneOf(methodNames), [...methodNames])
  .option("--steps <n>", "steps of stage 2, encoder enhancement", integer(1))
  .option("--align-steps <n>", "steps of stage 1, projector alignment", integer(1))
  .option("--batch <n>", "images in a step of stage 2, at least 2", integer(2))
  .option("--learning-rate <x>", "of stage 2", Number)
  .option("--seed <n>", "seed of everything random", integer(0), 0)
  .option("--seeds <list>", "several seeds, comma-separated; overrides --seed", integers)
  .option("--device <kind>", deviceChoices.join(", "), oneOf(deviceChoices), ["auto"])
  .option(
    "--evaluate <codes>",
    "reserved, or validation to choose settings with",
    oneOf(["reserved", "validation"]),
    ["reserved"],
  )
  .option("--quick", "few steps: to see it work, not to conclude from", false)
  .option("--out <folder>", "where the run goes; a new folder under runs/ by default")
  .option("--resume <folder>", "go on with a stopped run; every other option is the run's own")
  .parse();
const options = program.opts<CommandLine>();

/** The command was started from the repository's root, whichever folder npm runs the script in. */
const base = process.env.INIT_CWD ?? process.cwd();

async function prepare(): Promise<{ run: string; config: RunConfig }> {
  if (options.resume) {
    const run = resolve(base, options.resume);
    if (!existsSync(run)) throw new Error(`--resume: ${run}: no such folder`);
    return { run, config: await readRunConfig(run) };
  }
  const settings = defaultSettings(options.quick);
  const config = runConfigSchema.parse({
    ...settings,
    methods: options.methods,
    seeds: options.seeds ?? [options.seed],
    device: options.device[0],
    evaluate: options.evaluate[0] as RunConfig["evaluate"],
    align: { ...settings.align, steps: options.alignSteps ?? settings.align.steps },
    enhance: {
      steps: options.steps ?? settings.enhance.steps,
      batch: options.batch ?? settings.enhance.batch,
      learningRate: options.learningRate ?? settings.enhance.learningRate,
    },
  } satisfies RunConfig);
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[:T]/g, "-");
  const run = resolve(base, options.out ?? `runs/${stamp}`);
  if (existsSync(`${run}/config.json`)) {
    throw new Error(`--out: ${run} holds a run already; continue it with --resume, or name another folder`);
  }
  await mkdir(run, { recursive: true });
  const { bavail, bsize } = statfsSync(run);
  if (bavail * bsize < 64e6) {
    throw new Error(
      `--out: ${run}: the disk has ${Math.round((bavail * bsize) / 1e6)} MB left, a run needs 64 MB`,
    );
  }
  await writeFileAtomically(`${run}/config.json`, `${JSON.stringify(config, null, 2)}\n`);
  return { run, config };
}

let started: string | undefined;
try {
  const { run, config } = await prepare();
  started = relative(base, run) || run;
  const device = await initialize({ device: config.device as "auto" });
  console.log(`device: ${device.kind}${device.adapter ? ` (${device.adapter})` : ""}: ${device.reason}`);
  console.log(`run:    ${started}`);
  // Decoding once, and finding a broken model folder, before several processes start.
  await loadEmoji();
  await loadMnist();
  const models = await loadModels(config);
  for (const module of [
    models.encoder,
    models.diffusion.unet,
    models.diffusion.vae,
    models.diffusion.textEncoder,
  ]) {
    module.dispose();
  }
  await runJobs(run, config);
  const { results, metrics } = await writeResults(run, config, device);
  const report = await writeReport(run, config, results, metrics);
  console.log(`\n${resultsTable(results)}\n`);
  console.log(`report: ${relative(base, report)}`);
} catch (error) {
  if (error instanceof RunStopped) {
    console.error(`stopped; go on with: npm start -- --resume ${started}`);
    process.exitCode = 130;
  } else {
    console.error(`error: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
