import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import {
  addLoRA,
  createAlignmentStage,
  createEnhancementStage,
  createLatentEncoder,
  objectives,
  type Stage,
  type StageProgress,
} from "@dcr-js/dcr";
import {
  initialize,
  openSafetensors,
  Random,
  readSafetensors,
  writeFileAtomically,
  writeSafetensors,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { type EmojiData, itemIndices, loadEmoji } from "../data/emoji.js";
import { loadMnist } from "../data/mnist.js";
import { type Alignment, type MethodName, type RunConfig, readRunConfig } from "./config.js";
import { emojiSource } from "./emoji-source.js";
import { encodeImages } from "./encode-images.js";
import { discriminationSet, evaluate } from "./evaluate.js";
import { alignmentJob, alignmentLoss, type Job, jobFiles } from "./jobs.js";
import { appendMetrics, type MetricsRow, truncateMetrics } from "./metrics-file.js";
import { loadModels, type Models } from "./models.js";
import { writeReconstructions } from "./reconstructions.js";

/** What a job tells the process that started it. */
export type JobMessage =
  | { type: "progress"; phase: string; done: number; total: number; loss?: number }
  | { type: "done" }
  | { type: "stopped" }
  | { type: "failed"; message: string };

const checkpointEvery = 10;

let stopping = false;
const tell = (message: JobMessage) => process.send?.(message);
process.on("message", (message) => {
  if (message === "stop") stopping = true;
});
// Ctrl-C reaches the whole process group; the parent decides what it means.
process.on("SIGINT", () => {});
// Without a parent nobody would collect the result.
process.on("disconnect", () => process.exit(1));

class Stopped extends Error {}

/** Rows that both stages draw from. */
function trainingRows({ items }: EmojiData): number[] {
  // A skin tone is nearly the same picture: as a negative it would ask for what no one wants told apart.
  return itemIndices(items, ({ split, code, baseCode }) => split === "train" && code === baseCode);
}

function stageOptions(
  config: RunConfig,
  job: Job,
  settings: RunConfig["enhance"],
  models: Models,
  emoji: EmojiData,
) {
  const { diffusion, processor, encoder, projector, denoiser } = models;
  return {
    source: emojiSource({
      images: emoji.images,
      rows: trainingRows(emoji),
      batchSize: settings.batch,
      seed: job.seed,
      augment: config.augment,
    }),
    latents: createLatentEncoder(diffusion.vae, { microBatch: 16 }),
    scheduler: diffusion.scheduler,
    processor,
    encoder,
    projector,
    denoiser,
    seed: job.seed,
    learningRate: settings.learningRate,
    conflict: true,
    chunk: config.savings.chunk,
    encoderMicroBatch: 32,
  };
}

/** The objective of a method; a job's configuration has its settings. */
function objectiveOf(kind: Exclude<MethodName, "original">, { temperature, naive }: RunConfig) {
  switch (kind) {
    case "rec":
      return objectives.rec();
    case "con":
      return objectives.con({ temperature });
    case "naive":
      return objectives.naive({ ...naive, temperature });
    case "dcr":
      return objectives.dcr({ temperature });
  }
}

/** Runs a stage from its checkpoint, or from the start, to `steps`. */
async function runStage(run: string, job: Job, stage: Stage, steps: number): Promise<void> {
  const files = jobFiles(run, job);
  let start = 0;
  if (existsSync(files.checkpoint)) {
    const { metadata, close } = await openSafetensors(files.checkpoint);
    await close();
    const progress = JSON.parse(metadata["progress"]) as StageProgress;
    const tensors = await readSafetensors(files.checkpoint);
    await stage.restore({ tensors, progress });
    start = progress.step;
    tf.dispose(tensors);
  }
  await truncateMetrics(files.metrics, start);
  const save = async () => {
    const { tensors, progress } = stage.state();
    await writeSafetensors(files.checkpoint, tensors, { metadata: { progress: JSON.stringify(progress) } });
    tf.dispose(tensors);
  };
  for (let step = start; step < steps; step++) {
    const began = performance.now();
    const { loss, losses, gradNorm, conflict } = await stage.step();
    const [pair] = conflict?.pairs ?? [];
    const row: MetricsRow = {
      method: job.kind,
      stage: alignmentLoss(job) ? 1 : 2,
      seed: job.seed,
      step,
      loss,
      losses,
      gradNorm,
      norms: conflict?.norms,
      cosine: pair?.cosine,
      magnitudeSimilarity: pair?.magnitudeSimilarity,
      time: Number(((performance.now() - began) / 1000).toFixed(4)),
    };
    await appendMetrics(files.metrics, row);
    tell({ type: "progress", phase: "training", done: step + 1, total: steps, loss });
    if (stopping || (step + 1) % checkpointEvery === 0) await save();
    // The pause lets a "stop" arrive.
    await new Promise((resolve) => setImmediate(resolve));
    if (stopping) throw new Stopped();
  }
}

async function align(
  run: string,
  config: RunConfig,
  job: Job,
  models: Models,
  loss: Alignment,
): Promise<void> {
  const emoji = await loadEmoji();
  models.projector.initialize(new Random(job.seed).fork("projector"));
  const settings = config.align[loss];
  const stage = createAlignmentStage({
    ...stageOptions(config, job, settings, models, emoji),
    objective: objectiveOf(loss, config),
  });
  await runStage(run, job, stage, settings.steps);
  const weights = models.projector.stateDict();
  await writeSafetensors(jobFiles(run, job).projector, weights);
  await writeFileAtomically(jobFiles(run, job).result, "{}\n");
}

async function enhance(
  run: string,
  config: RunConfig,
  { kind, seed }: { kind: MethodName; seed: number },
  models: Models,
): Promise<void> {
  const job = { kind, seed };
  const files = jobFiles(run, job);
  const [emoji, mnist] = [await loadEmoji(), await loadMnist()];
  const projector = await readSafetensors(jobFiles(run, alignmentJob(kind, seed, config)).projector);
  models.projector.loadStateDict(projector);
  tf.dispose(projector);
  if (kind !== "original") {
    const lora = addLoRA(models.encoder, {
      ...config.lora,
      bias: "lora_only",
      within: "vision_model",
      random: new Random(seed).fork("lora"),
    });
    const stage = createEnhancementStage({
      ...stageOptions(config, job, config.enhance, models, emoji),
      adapters: lora,
      objective: objectiveOf(kind, config),
    });
    await runStage(run, job, stage, config.enhance.steps);
    stage.dispose();
    lora.merge();
  }
  tell({ type: "progress", phase: "evaluating", done: 0, total: 1 });
  models.encoder.train(false);
  const evaluation = await evaluate(models, { emoji, mnist }, config, seed);
  const { rows, labels, classes } = discriminationSet(emoji, config);
  const features = {
    features: encodeImages(models, emoji.images, rows),
    labels: tf.tensor1d(labels, "int32"),
  };
  await writeSafetensors(files.features, features, { metadata: { classes: JSON.stringify(classes) } });
  tf.dispose(features);
  await writeReconstructions(files.reconstructions, models, emoji, config, seed);
  await models.encoder.savePretrained(files.encoder);
  await writeFileAtomically(files.result, `${JSON.stringify(evaluation, null, 2)}\n`);
}

const [run, kind, seed] = process.argv.slice(2);
try {
  const job: Job = { kind: kind as Job["kind"], seed: Number(seed) };
  const config = await readRunConfig(run);
  await mkdir(jobFiles(run, job).folder, { recursive: true });
  await initialize({ device: config.device as "auto" });
  const models = await loadModels(config);
  const loss = alignmentLoss(job);
  if (loss) await align(run, config, job, models, loss);
  else await enhance(run, config, job as { kind: MethodName; seed: number }, models);
  await rm(jobFiles(run, job).checkpoint, { force: true });
  tell({ type: "done" });
} catch (error) {
  tell(
    error instanceof Stopped ? { type: "stopped" } : { type: "failed", message: (error as Error).message },
  );
  process.exitCode = 1;
}
process.disconnect?.();
