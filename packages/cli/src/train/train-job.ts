import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  createAlignmentStage,
  createEndToEndStage,
  createEnhancementStage,
  Projector,
  type Stage,
  type StageOptions,
} from "@dcr-js/dcr";
import { saveAdapter } from "@dcr-js/encoders";
import {
  Random,
  readSafetensors,
  type StateDict,
  writeFileAtomically,
  writeSafetensors,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { baseOf, settingsOf, usesSetting } from "../config/methods.js";
import { type RunConfig, settingsHash } from "../config/run-config.js";
import { readModelShapes } from "../models/model-shapes.js";
import { alignmentJob, type Job, jobFiles, jobLabel, jobName } from "../run/jobs.js";
import type { JobMessage } from "../run/run-jobs.js";
import { runStage } from "../run/run-stage.js";
import { messageOf } from "../shared/message-of.js";
import { addAdapters } from "./add-adapters.js";
import { createAggregator } from "./aggregators.js";
import { openTrainingImages } from "./images.js";
import { loadTrainingModels, type TrainingModels } from "./load-models.js";
import { loadObjective } from "./load-objective.js";
import { writeEnhancedEncoder } from "./write-outputs.js";

/** A job's connection to the process that runs it. */
export interface JobContext {
  run: string;
  config: RunConfig;
  tell(message: JobMessage): void;
  stopAsked(): boolean;
  /** Throws where this process may not write any more. */
  beforeWrite(): void;
  /** Whether steps are trained to measure them, and no encoder is written. */
  measures: boolean;
}

/** Stage 1: trains the projector of a seed. @returns whether it is done; false where it was stopped */
export async function trainProjector(
  job: Extract<Job, { kind: "align" }>,
  context: JobContext,
): Promise<boolean> {
  const { run, config } = context;
  const files = jobFiles(run, job);
  const settings = settingsOf(job.method, config);
  const models = await loadTrainingModels(config);
  models.projector.initialize(new Random(job.seed).fork("projector"));
  const images = await openImages(context, settings, { models, batch: settings.align.batch, seed: job.seed });
  const stage = createAlignmentStage({
    ...stageOptions(settings, settings.align, { models, source: images, seed: job.seed }),
    objective: await loadObjective(job.loss, settings),
  });
  try {
    const done = await runJobStage(job, context, { stage, steps: settings.align.steps, number: 1 });
    if (!done) return false;
    context.beforeWrite();
    await saveProjector(models, files.projector);
    return true;
  } finally {
    stage.dispose();
    await images.close();
    models.dispose();
  }
}

/** Writes a projector that nobody has trained where an evaluation of `original` looks for one. */
export async function writeUntrainedProjector(job: Job, { run, config }: JobContext): Promise<void> {
  const first = alignmentJob(job, config);
  if (!first) return;
  const { projector: path, folder } = jobFiles(run, first);
  const { encoder, unet } = (await readModelShapes(config)).shapes;
  const projector = new Projector(encoder.featureSize, unet.config.cross_attention_dim);
  projector.initialize(new Random(job.seed).fork("projector"));
  await mkdir(folder, { recursive: true });
  await saveProjector({ projector }, path);
  projector.dispose();
}

/** Stage 2: trains the encoder's adapters, and writes what the user gets. @returns whether it is done */
export async function trainEncoder(
  job: Extract<Job, { kind: "method" }>,
  context: JobContext,
): Promise<boolean> {
  const { run, config } = context;
  const { seed } = job;
  const files = jobFiles(run, job);
  const settings = settingsOf(job.method, config);
  if (existsSync(files.output)) {
    await checkOutputSettings(files, config);
    return true;
  }
  const models = await loadTrainingModels(config);
  const first = alignmentJob(job, config);
  if (first) await loadProjector(models, jobFiles(run, first));
  else models.projector.initialize(new Random(seed).fork("projector"));
  const lora = addAdapters(models.encoder, settings.lora, seed);
  const images = await openImages(context, settings, { models, batch: settings.enhance.batch, seed });
  const create = settings.endToEnd ? createEndToEndStage : createEnhancementStage;
  // One loss has nothing to aggregate, and some aggregators would scale its gradient.
  const aggregates = usesSetting(job.method, "aggregator", {
    alignment: first?.loss,
    positives: settings.positives,
  });
  const aggregator = createAggregator(aggregates ? settings.aggregator : "sum", seed);
  const stage = create({
    ...stageOptions(settings, settings.enhance, { models, source: images, seed }),
    conflict: settings.conflict,
    ...(aggregator && { aggregator }),
    objective: await loadObjective(baseOf(job.method), settings),
    adapters: lora,
  });
  try {
    if (!(await runJobStage(job, context, { stage, steps: settings.enhance.steps, number: 2 }))) return false;
    if (context.measures) return true;
    context.beforeWrite();
    context.tell({ type: "progress", phase: "writing" });
    await rm(files.unfinishedOutput, { recursive: true, force: true });
    await saveAdapter(lora, join(files.unfinishedOutput, "adapter"), {
      baseModel: config.encoder,
      ...(config.encoderRevision !== undefined && { revision: config.encoderRevision }),
    });
    // Where there was neither stage 1 nor one stage for both, the projector is as it was drawn.
    if (first || settings.endToEnd)
      await saveProjector(models, join(files.unfinishedOutput, "projector.safetensors"));
  } finally {
    stage.dispose();
    await images.close();
    models.dispose();
  }
  await writeEnhancedEncoder(config, files.unfinishedOutput);
  context.beforeWrite();
  await writeFileAtomically(files.outputSettings, `${JSON.stringify(settingsHash(config))}\n`);
  await rename(files.unfinishedOutput, files.output);
  return true;
}

function stageOptions(
  config: RunConfig,
  settings: RunConfig["enhance"],
  { models, source, seed }: { models: TrainingModels; source: StageOptions["source"]; seed: number },
): StageOptions {
  const { encoder, processor, projector, denoiser, scheduler, latents } = models;
  const { steps, accumulation, learningRate, warmupSteps, schedule, weightDecay, maxGradNorm } = settings;
  return {
    source,
    processor,
    encoder,
    projector,
    denoiser,
    scheduler,
    latents,
    seed,
    accumulation,
    learningRate,
    warmupSteps,
    schedule,
    ...(schedule === "cosine" && { totalSteps: steps }),
    weightDecay,
    maxGradNorm,
    target: config.target,
    ...(config.timesteps && { timestepRange: config.timesteps }),
    localTokens: config.localTokens,
    ...(config.memory.chunk !== null && { chunk: config.memory.chunk }),
    ...(config.memory.microBatch !== null && { encoderMicroBatch: config.memory.microBatch }),
    gradientCheckpointing: config.memory.gradientCheckpointing,
  };
}

/** @throws where the outputs that a job finished before its result were made with other settings than the run has now */
async function checkOutputSettings(
  { output, outputSettings }: ReturnType<typeof jobFiles>,
  config: RunConfig,
): Promise<void> {
  const found = await readFile(outputSettings, "utf8").catch(() => "");
  if (found.trim() === JSON.stringify(settingsHash(config))) return;
  throw new Error(
    `${output}: made with other settings than the run has now; put those back, or delete this folder to make it anew`,
  );
}

function openImages(
  { tell }: JobContext,
  { images, augment, strict }: RunConfig,
  { models, batch, seed }: { models: TrainingModels; batch: number; seed: number },
) {
  const log = (text: string) => tell({ type: "log", text });
  const options = { size: models.encoder.imageSize, batchSize: batch, seed, augment, strict, log };
  return openTrainingImages(images, options);
}

async function saveProjector({ projector }: Pick<TrainingModels, "projector">, path: string): Promise<void> {
  const weights = projector.stateDict();
  try {
    await writeSafetensors(path, weights, { finite: true });
  } finally {
    tf.dispose(weights as tf.NamedTensorMap);
  }
}

async function loadProjector(
  { projector }: TrainingModels,
  { projector: path, folder }: ReturnType<typeof jobFiles>,
): Promise<void> {
  let weights: StateDict = {};
  try {
    weights = await readSafetensors(path, { finite: true });
    projector.loadStateDict(weights);
  } catch (error) {
    throw new Error(`${messageOf(error)}; delete ${folder} to make that job anew`, { cause: error });
  } finally {
    tf.dispose(weights as tf.NamedTensorMap);
  }
}

function runJobStage(
  job: Job,
  { run, config, tell, stopAsked, beforeWrite }: JobContext,
  { stage, steps, number }: { stage: Stage; steps: number; number: 1 | 2 },
): Promise<boolean> {
  return runStage({
    stage,
    steps,
    owner: { job: jobName(job), settings: settingsHash(config) },
    files: jobFiles(run, job),
    row: { method: jobLabel(job), stage: number, seed: job.seed },
    checkpoint: config.checkpoint,
    tensorboard: config.tensorboard,
    beforeWrite,
    onStep: (done, loss) =>
      tell({
        type: "progress",
        phase: "training",
        steps: { done, total: steps },
        ...(loss !== undefined && { loss }),
      }),
    stopAsked,
  });
}
