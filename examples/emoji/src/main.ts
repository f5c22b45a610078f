#!/usr/bin/env node
import { existsSync, statfsSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { deviceChoices, initialize, writeFileAtomically } from "@dcr-js/tensor";
import { Command, InvalidArgumentError } from "commander";
import { loadEmoji } from "./data/emoji.js";
import { loadMnist } from "./data/mnist.js";
import { writeReport } from "./report/report.js";
import {
  alignmentChoices,
  checkRunConfig,
  defaultSettings,
  methodNames,
  type RunConfig,
  readRunConfig,
} from "./run/config.js";
import { loadModels, ownModels } from "./run/models.js";
import { resultsTable, writeResults } from "./run/results.js";
import { RunStopped, runJobs } from "./run/run-jobs.js";

const integer = (least: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new InvalidArgumentError(`expected an integer, at least ${least}`);
  }
  return value;
};
const positive = (text: string) => {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError("expected a positive number");
  return value;
};
const list = (text: string) => text.split(",").map((part) => part.trim());
const integers = (text: string) => list(text).map(integer(0));
const oneOf = (allowed: readonly string[]) => (name: string) => {
  if (!allowed.includes(name)) throw new InvalidArgumentError(`"${name}" is none of ${allowed.join(", ")}`);
  return name;
};
const someOf = (allowed: readonly string[]) => (text: string) => list(text).map(oneOf(allowed));

interface CommandLine {
  methods: RunConfig["methods"];
  steps?: number;
  alignLoss: RunConfig["align"]["loss"];
  alignSteps?: number;
  batch?: number;
  seeds?: number[];
  seed: number;
  device: string;
  learningRate?: number;
  evaluate: RunConfig["evaluate"];
  models: string;
  quick: boolean;
  out?: string;
  resume?: string;
}

const program = new Command("npm start --")
  .description(
    "Enhances a tiny CLIP encoder with Diffusion Contrastive Reconstruction on real emoji images, beside its baselines,\n" +
      "and reports what each method did to D-Ability and P-Ability.",
  )
  .option("--methods <names>", "comma-separated", someOf(methodNames), [...methodNames])
  .option("--steps <n>", "steps of stage 2, encoder enhancement", integer(1))
  .option(
    "--align-loss <name>",
    "of stage 1: rec, dcr, or own, which is dcr for dcr and rec for the others",
    oneOf(alignmentChoices),
    "own",
  )
  .option("--align-steps <n>", "steps of stage 1, projector alignment", integer(1))
  .option("--batch <n>", "images in a step of stage 2, at least 2", integer(2))
  .option("--learning-rate <x>", "of stage 2", positive)
  .option("--seed <n>", "seed of everything random", integer(0), 0)
  .option("--seeds <list>", "several seeds, comma-separated; overrides --seed", integers)
  .option("--device <kind>", deviceChoices.join(", "), oneOf(deviceChoices), "auto")
  .option(
    "--evaluate <codes>",
    "reserved, or validation to choose settings with",
    oneOf(["reserved", "validation"]),
    "reserved",
  )
  .option(
    "--models <folder>",
    "pretrained models in the Hugging Face layout, clip/ and diffusion/",
    ownModels,
  )
  .option("--quick", "few steps: to see it work, not to conclude from", false)
  .option("--out <folder>", "where the run goes; a new folder under runs/ by default")
  .option("--resume <folder>", "go on with a stopped run; every other option is the run's own")
  .parse();
const options = program.opts<CommandLine>();

/** The command was started from the repository's root, whichever folder npm runs the script in. */
const base = process.env.INIT_CWD ?? process.cwd();

interface Run {
  folder: string;
  config: RunConfig;
}

/** What the command line asks for. Nothing is written yet. */
async function askedFor(): Promise<Run> {
  if (options.resume) {
    const folder = resolve(base, options.resume);
    if (!existsSync(folder)) throw new Error(`--resume: ${folder}: no such folder`);
    return { folder, config: await readRunConfig(folder) };
  }
  const settings = defaultSettings(options.quick);
  const config = checkRunConfig("options", {
    ...settings,
    methods: options.methods,
    seeds: options.seeds ?? [options.seed],
    device: options.device,
    models: resolve(base, options.models),
    evaluate: options.evaluate,
    align: {
      loss: options.alignLoss,
      rec: { ...settings.align.rec, steps: options.alignSteps ?? settings.align.rec.steps },
      dcr: { ...settings.align.dcr, steps: options.alignSteps ?? settings.align.dcr.steps },
    },
    enhance: {
      steps: options.steps ?? settings.enhance.steps,
      batch: options.batch ?? settings.enhance.batch,
      learningRate: options.learningRate ?? settings.enhance.learningRate,
    },
  } satisfies RunConfig);
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[:T]/g, "-");
  const folder = resolve(base, options.out ?? `runs/${stamp}`);
  if (existsSync(join(folder, "config.json"))) {
    throw new Error(
      `--out: ${folder} holds a run already; continue it with --resume, or name another folder`,
    );
  }
  return { folder, config };
}

/** Whether the disk that will hold a folder has room for a run. @throws where it has not. */
function checkDisk(folder: string): void {
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  const { bavail, bsize } = statfsSync(there);
  if (bavail * bsize >= 64e6) return;
  const left = Math.round((bavail * bsize) / 1e6);
  throw new Error(`--out: ${folder}: the disk has ${left} MB left, a run needs 64 MB`);
}

/** Decodes the images once, and finds what is wrong with them or the models, before several processes start. */
async function checkInputs(config: RunConfig): Promise<void> {
  await loadEmoji();
  await loadMnist();
  const { encoder, diffusion, denoiser } = await loadModels(config);
  for (const module of [encoder, diffusion.unet, diffusion.vae, diffusion.textEncoder]) module.dispose();
  denoiser.dispose();
}

let resumable: string | undefined;
try {
  const { folder, config } = await askedFor();
  const name = relative(base, folder) || folder;
  const device = await initialize({ device: config.device as "auto" });
  console.log(`device: ${device.kind}${device.adapter ? ` (${device.adapter})` : ""}: ${device.reason}`);
  console.log(`run:    ${name}`);
  await checkInputs(config);
  checkDisk(folder);
  await writeFileAtomically(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  resumable = name;
  await runJobs(folder, config);
  const { results, metrics } = await writeResults(folder, config, device);
  const report = await writeReport(folder, config, results, metrics);
  console.log(`\n${resultsTable(results)}\n`);
  console.log(`report: ${relative(base, report)}`);
} catch (error) {
  const goOn = `go on with: npm start -- --resume ${resumable}`;
  if (error instanceof RunStopped) {
    console.error(`stopped; ${goOn}`);
    process.exitCode = 130;
  } else {
    console.error(`error: ${(error as Error).message}${resumable ? `; when that is mended, ${goOn}` : ""}`);
    process.exitCode = 1;
  }
}
