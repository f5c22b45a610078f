import { existsSync, statfsSync, statSync } from "node:fs";
import { availableParallelism, freemem } from "node:os";
import { dirname } from "node:path";
import { type Objective, readBatches, tryObjective } from "@dcr-js/dcr";
import { DDPMScheduler } from "@dcr-js/diffusion";
import { type DeviceInfo, hasFloat16Storage } from "@dcr-js/tensor";
import { namingOption } from "../command-line/naming-option.js";
import { checkOutputFolder } from "../command-line/output-file.js";
import { baseOf, checkVariant, isOwnMethod, methodLabel, settingsOf } from "../config/methods.js";
import type { Method, RunConfig } from "../config/run-config.js";
import { checkEvaluations } from "../evaluate/evaluate-encoder.js";
import { pinRevisions } from "../models/model-hashes.js";
import { countWeights, type ModelShapes, readEncoderShape, readModelShapes } from "../models/model-shapes.js";
import { resolveDiffusion, resolveEncoder } from "../models/resolve-models.js";
import { alignmentJob, checkJobNames, isDone, type Job, listJobs, stepsOf } from "../run/jobs.js";
import { addAdapters } from "../train/add-adapters.js";
import { openTrainingImages } from "../train/images.js";
import { latentCacheBytes } from "../train/load-models.js";
import { loadObjective } from "../train/load-objective.js";
import { deviceMemory } from "./device-memory.js";
import { formatBytes } from "./format-bytes.js";
import { type MemoryPlan, planMemory } from "./plan-memory.js";

/** A run whose inputs were checked before anything is loaded. */
export interface CheckedRun {
  /** The settings with the chunk, the micro-batch and the kind of device that were chosen, and the hub's commits of the models. */
  config: RunConfig;
  memory: MemoryPlan;
  /** Bytes of all that the run writes to its folder, at most. */
  written: number;
  /** Bytes of the cache of latents, at most; 0 without one. */
  cached: number;
  /** Jobs that may run at the same time. */
  atOnce: number;
}

/**
 * Checks a run's inputs before anything is loaded or written. For a resumed run, the needed memory and disk are those of the jobs that are
 * left.
 *
 * @param options `resumed`: whether the run goes on, with settings that cannot be changed and at least one job left
 * @throws one line that names the wrong input
 */
export async function checkRun(
  folder: string,
  config: RunConfig,
  { device, resumed = false }: { device: DeviceInfo; resumed?: boolean },
): Promise<CheckedRun> {
  checkStorage(config, device);
  await checkMethods(config);
  const { shapes, text } = await readModelShapes(config);
  await tryObjectives(config, shapes);
  await checkTimesteps(config);
  const adapterValues = await checkAdapters(config);
  if (config.latentCache !== null) checkOutputFolder(config.latentCache, "--latent-cache");
  await checkImages(config, shapes.encoder.imageSize);
  await checkEvaluations(config.evaluate, text);
  const left = listJobs(config).filter((job) => !(resumed && isDone(folder, job)));
  const available = await deviceMemory(device);
  const training = left.filter(({ method }) => method !== "original");
  const methods = new Set((training.length > 0 ? training : left).map(({ method }) => method));
  const plans = [...methods].map((method) =>
    planMemory(shapes, settingsOf(method, config), available, {
      adapterValues: adapterValues.get(method) ?? 0,
      resumed,
    }),
  );
  const memory = largestPlan(plans);
  const written = bytesWritten(shapes, config, left);
  const cached = bytesCached(shapes, config, left);
  checkDisks([
    { option: "--out", folder, needed: written },
    ...(config.latentCache === null
      ? []
      : [{ option: "--latent-cache", folder: config.latentCache, needed: cached }]),
  ]);
  const { chunk, microBatch } = memory;
  const fixed = {
    ...config,
    ...(await pinRevisions(config)),
    // Another kind computes other numbers, and the chunk and the micro-batch were chosen for this one.
    device: device.kind,
    memory: { ...config.memory, chunk, microBatch },
  };
  return {
    config: fixed,
    memory,
    written,
    cached,
    atOnce: jobsAtOnce(memory, device),
  };
}

/** The memory of the method that needs the most, with the chunk and the micro-batch that fit all of them. */
function largestPlan(plans: readonly MemoryPlan[]): MemoryPlan {
  const largest = plans.reduce((most, plan) => (plan.peak > most.peak ? plan : most));
  const least = (name: "chunk" | "microBatch") => Math.min(...plans.map((plan) => plan[name]));
  return { ...largest, chunk: least("chunk"), microBatch: least("microBatch") };
}

/** A GPU works on one job at a time; a machine of several cores on two, where its memory holds both. */
function jobsAtOnce({ peak }: MemoryPlan, { kind }: DeviceInfo): number {
  if (kind === "webgpu" || availableParallelism() < 2) return 1;
  return 2 * peak <= freemem() ? 2 : 1;
}

/** For each job that trains an encoder that encoder, its adapters, a checkpoint, and as much again while a file is replaced. */
function bytesWritten(
  { encoder, textEncoder }: ModelShapes,
  config: RunConfig,
  jobs: readonly Job[],
): number {
  const outputs = jobs.filter(({ kind, method }) => kind === "method" && method !== "original").length;
  // A text tower is about as large as the diffusion model's own text encoder.
  const model = 4 * (countWeights(encoder) + countWeights(textEncoder));
  const rows = jobs.reduce((sum, job) => sum + stepsOf(job, config), 0);
  return outputs * 2 * model + 1000 * rows + 16e6;
}

/** Mean and log-variance of each image's latents as float16, as if no image came twice. */
function bytesCached({ encoder, vae }: ModelShapes, config: RunConfig, jobs: readonly Job[]): number {
  if (config.latentCache === null) return 0;
  const bytes = (encoder.imageSize / vae.factor) ** 2 * vae.config.latent_channels * 2 * 2;
  const images = jobs.reduce((sum, job) => {
    const { align, enhance } = settingsOf(job.method, config);
    const { batch, accumulation } = job.kind === "align" ? align : enhance;
    return sum + stepsOf(job, config) * batch * accumulation;
  }, 0);
  return Math.min(images * bytes, latentCacheBytes);
}

/** @param device which is tfjs's backend now */
function checkStorage({ storage }: RunConfig, { kind }: DeviceInfo): void {
  if (storage === "float32" || hasFloat16Storage()) return;
  throw new Error(
    `--storage: float16 needs WebGPU on an adapter with shader-f16, and this run is on ${kind}; leave --storage out`,
  );
}

async function checkMethods(config: RunConfig): Promise<void> {
  checkJobNames(config);
  for (const method of config.methods) {
    if (method === "original") continue;
    const first = alignmentJob({ kind: "method", method, seed: 0 }, config);
    const settings = settingsOf(method, config);
    checkVariant(method, { alignment: first?.loss, positives: settings.positives });
    const objective = await loadObjective(baseOf(method), settings);
    if (settings.endToEnd && !objective.usesPredictions) {
      throw new Error(
        `--end-to-end: ${methodLabel(method)} uses no predictions, and the projector is trained through them alone; leave --end-to-end out for it`,
      );
    }
    checkBatch("--batch", settings.enhance.batch, objective);
    if (first) checkBatch("--align-batch", settings.align.batch, await loadObjective(first.loss, settings));
  }
  if (config.methods.every((method) => method === "original") && config.evaluate.length === 0) {
    throw new Error("--methods: original trains nothing, and without --evaluate nothing is measured either");
  }
}

/**
 * Runs each objective of the user's own once, on random features and predictions of the models' shapes.
 *
 * @throws where it fails, or has one loss and an aggregator
 */
async function tryObjectives(config: RunConfig, { encoder, unet, vae }: ModelShapes): Promise<void> {
  const side = encoder.imageSize / vae.factor;
  for (const method of config.methods) {
    const path = baseOf(method);
    if (isOwnMethod(path)) continue;
    const { aggregator, enhance, ...settings } = settingsOf(method, config);
    const objective = await loadObjective(path, settings);
    const losses = await namingOption(
      "--methods",
      () =>
        tryObjective(objective, {
          batchSize: enhance.batch,
          featureSize: encoder.featureSize,
          conditionSize: unet.config.cross_attention_dim,
          latents: [side, side, vae.config.latent_channels],
        }),
      path,
    );
    if (aggregator === "sum" || losses.length > 1) continue;
    throw new Error(
      `--aggregator: ${aggregator} needs two losses or more, and ${methodLabel(method)} has one, ${losses[0]}; omit it for this method`,
    );
  }
}

/** @throws where a loss contrasts an image with others, and a batch has no others */
function checkBatch(option: string, batch: number, { name, needsNegatives = true }: Objective): void {
  if (batch > 1 || !needsNegatives) return;
  throw new Error(`${option}: must be at least 2, got ${batch}; ${name} needs other images as negatives`);
}

/** @throws where timesteps lie beyond the scheduler's */
async function checkTimesteps(config: RunConfig): Promise<void> {
  const folder = `${await resolveDiffusion(config)}/scheduler`;
  const { num_train_timesteps: count } = (await DDPMScheduler.fromPretrained(folder)).config;
  for (const method of config.methods) {
    const { timesteps } = settingsOf(method, config);
    if (!timesteps || timesteps[1] <= count) continue;
    throw new Error(
      `--timesteps: the end must be at most ${count}, the timesteps of ${folder}, got ${timesteps[1]}`,
    );
  }
}

/** Attaches each method's adapters to an encoder without weights. @returns how many numbers they are, by method */
async function checkAdapters(config: RunConfig): Promise<Map<Method, number>> {
  const folder = await resolveEncoder(config);
  const counts = new Map<Method, number>();
  for (const method of config.methods) {
    if (method === "original") continue;
    const { encoder } = await readEncoderShape(folder);
    await namingOption("--lora-targets", async () => {
      counts.set(method, countWeights(addAdapters(encoder, settingsOf(method, config).lora, 0)));
    });
    encoder.dispose();
  }
  return counts;
}

/**
 * Opens the images as each stage will, and reads a batch, so that a source which gives something else is found before anything is
 * trained.
 *
 * @throws where they are not there, are no images, or are fewer than a batch
 */
async function checkImages(config: RunConfig, size: number): Promise<void> {
  const { images, augment, strict, seeds } = config;
  const batches = new Map<number, string>();
  for (const method of config.methods) {
    const { endToEnd, align, enhance } = settingsOf(method, config);
    batches.set(enhance.batch, "--batch");
    if (!endToEnd) batches.set(align.batch, "--align-batch");
  }
  for (const [batch, option] of batches) {
    const log = (line: string) => console.error(line);
    const naming = <T>(run: () => Promise<T>, place?: string): Promise<T> =>
      namingOption("--images", run, place).catch((error: Error) => {
        // The size of the batch has an option of its own.
        const tooLarge = /batchSize (\d+ is more than there are images.*)$/.exec(error.message)?.[1];
        throw tooLarge === undefined ? error : new Error(`${option}: ${tooLarge}`, { cause: error });
      });
    const source = await naming(() =>
      openTrainingImages(images, { size, batchSize: batch, seed: seeds[0], augment, strict, log }),
    );
    const reader = readBatches(source);
    try {
      const { length } = source;
      if (length !== undefined && length < batch) {
        throw new Error(`${option}: ${batch} is more than the ${length} images of ${images}`);
      }
      await naming(() => reader.next(), images);
    } finally {
      await reader.close();
      await source.close();
    }
  }
}

/** What an option's folder will hold. */
interface Written {
  option: string;
  folder: string;
  /** In bytes. */
  needed: number;
}

/** Checks that disks have room for the files of a run; folders may share a disk. @throws where one has no room */
function checkDisks(folders: readonly Written[]): void {
  const disks = new Map<number, { left: number; holds: Written[] }>();
  for (const written of folders) {
    let there = written.folder;
    while (!existsSync(there)) there = dirname(there);
    const { bavail, bsize } = statfsSync(there);
    const { dev } = statSync(there);
    const holds = [...(disks.get(dev)?.holds ?? []), written];
    disks.set(dev, { left: bavail * bsize, holds });
  }
  for (const { left, holds } of disks.values()) {
    const needed = holds.reduce((sum, one) => sum + one.needed, 0);
    if (left >= needed) continue;
    const each = holds.map(({ option, folder }) => `${option}: ${folder}`).join(" and ");
    throw new Error(`${each}: the disk has ${formatBytes(left)} left, the run needs ${formatBytes(needed)}`);
  }
}
