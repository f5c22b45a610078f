import type { ImageSource } from "@dcr-js/data";
import type { DDPMScheduler, Denoiser } from "@dcr-js/diffusion";
import type { ImageEncoder } from "@dcr-js/encoders";
import type { Aggregator } from "@dcr-js/gradient-conflict";
import { type Communicator, type Parameter, type Random, singleProcess } from "@dcr-js/tensor";
import type * as tf from "@tensorflow/tfjs-core";
import type { LatentEncoder } from "../latents/latent-encoder.js";
import type { Objective } from "../objectives/objective.js";
import type { Projector } from "../projector.js";
import {
  checkBoolean,
  checkChoice,
  checkNumber,
  checkOptions,
  checkText,
  describe,
  type OptionNames,
} from "../shared/check-options.js";

/** Makes pixels in [0, 1] the encoder's input; image processors do. */
export interface ImageNormalizer {
  /** @param images `[n, size, size, 3]` in [0, 1]. @returns the same shape; the caller disposes it. */
  normalize(images: tf.Tensor4D): tf.Tensor4D;
}

/** The part of an encoder that trains; a `LoRA` is one. */
export interface Adapters {
  parameters(): Parameter[];
  /** The source of dropout masks, where there is dropout: the stage sets its state before each pass, so that passes drop alike. */
  readonly random?: Random;
}

/** A loss's target: as the scheduler says (epsilon, v or the sample), or the velocity whatever it says. */
export type TargetKind = "scheduler" | "velocity";

/** Options that all stages share. */
export interface StageOptions {
  /** Batches of training images. The caller closes it. */
  source: ImageSource;
  /** Makes images in [0, 1] the encoder's input. */
  processor: ImageNormalizer;
  /** The encoder; its `imageSize` must be `source.size`. */
  encoder: ImageEncoder;
  /** Makes conditions of the encoder's features: its `inFeatures` must be `encoder.featureSize`, its `outFeatures` `denoiser.conditionSize`. */
  projector: Projector;
  /** The frozen diffusion model, such as `createDenoiser` makes. */
  denoiser: Denoiser;
  /** The diffusion model's noise schedule; its `prediction_type` must be the model's. */
  scheduler: DDPMScheduler;
  /** Makes latents of images, such as `createLatentEncoder(vae)` does. */
  latents: LatentEncoder;
  /** An integer in [0, 2^53). Noise, timesteps and dropout are functions of it and of the number of the step. */
  seed: number;
  /** AdamW's learning rate after the warm-up, at least 0. The paper has 1e-4 in stage 1 and 1e-5 in stage 2. */
  learningRate: number;
  /** Steps in which the learning rate rises linearly, an integer of at least 0. Default 10. */
  warmupSteps?: number;
  /** The course of the learning rate after the warm-up: constant, or half a cosine down to 0 at `totalSteps`. Default `"constant"`. */
  schedule?: "constant" | "cosine";
  /** The steps that the stage will take; `"cosine"` needs it, and nothing else does. */
  totalSteps?: number;
  /** AdamW's weight decay, at least 0. Default 0.01. */
  weightDecay?: number;
  /** Global norm that gradients are clipped to, above 0. Default 1. */
  maxGradNorm?: number;
  /** Batches to a step, at least 1. Default 1. */
  accumulation?: number;
  /**
   * Makes the step's gradient of the losses' gradients, each times its loss's weight: an aggregator that weighs them, as all of
   * `@dcr-js/gradient-conflict` do but `gradDrop`, `trimmedMean` and `ExcessMTL`. Default their sum.
   */
  aggregator?: Aggregator;
  /**
   * Whether a step records how the losses' gradients compare (norms, cosines). It costs one backward pass of the encoder for each
   * loss, which an aggregator needs anyway. Default: whether there is an aggregator.
   */
  conflict?: boolean;
  /** Default `"scheduler"`; `"velocity"` reproduces the reference implementation, which takes the velocity for any model. */
  target?: TargetKind;
  /** Timesteps are drawn from `[first, end)`. Default all of the scheduler's, `[0, num_train_timesteps]`. */
  timestepRange?: readonly [first: number, end: number];
  /**
   * Share of the encoder's local tokens that condition the denoiser beside the class token, in [0, 1]; others are drawn in each
   * step. Default 0.
   */
  localTokens?: number;
  /** Predictions that are made at once and held with their graph; bounds the denoiser's memory. 0 makes all. Default 16. */
  chunk?: number;
  /** Images that are encoded at once and held with their graph; bounds the encoder's memory. 0 takes all. Default 8. */
  encoderMicroBatch?: number;
  /**
   * Whether encoder and denoiser keep the inputs of their blocks only and compute the rest again in the backward pass
   * (Chen et al. 2016): the same numbers in less memory, for one more forward pass. The stage sets it on both before each step.
   * Default: they stay as they are.
   */
  gradientCheckpointing?: boolean;
  /** Joins processes that train together, each on images of its own. Default a single process. */
  communicator?: Communicator;
}

/** {@link StageOptions} with the defaults filled in. */
export interface StageSettings
  extends Required<Omit<StageOptions, "aggregator" | "totalSteps" | "gradientCheckpointing">> {
  totalSteps?: number;
  aggregator?: Aggregator;
  gradientCheckpointing?: boolean;
  objective: Objective;
}

const names: OptionNames<StageOptions & { objective: Objective }> = {
  source: true,
  processor: true,
  encoder: true,
  projector: true,
  denoiser: true,
  scheduler: true,
  latents: true,
  objective: true,
  seed: true,
  learningRate: true,
  warmupSteps: true,
  schedule: true,
  totalSteps: true,
  weightDecay: true,
  maxGradNorm: true,
  accumulation: true,
  aggregator: true,
  conflict: "boolean",
  target: true,
  timestepRange: true,
  localTokens: true,
  chunk: true,
  encoderMicroBatch: true,
  gradientCheckpointing: "boolean",
  communicator: true,
};

/** The parts that a stage cannot do without, and what it calls of each. */
const parts = {
  source: ["position", "restore", Symbol.asyncIterator],
  processor: ["normalize"],
  encoder: ["encodeImage", "train", "requiresGrad"],
  projector: ["forward", "parameters", "requiresGrad"],
  denoiser: ["prepare", "predict"],
  scheduler: ["addNoise", "target"],
  latents: ["encode"],
  objective: ["terms"],
} as const;

/**
 * Checks all options of a stage once, each by itself and against the others, and fills in the defaults.
 *
 * @param caller the public function, for the errors
 */
export function checkStageOptions(
  caller: string,
  options: StageOptions & { objective: Objective },
): StageSettings {
  const given = checkOptions(caller, options, names);
  for (const [name, methods] of Object.entries(parts)) {
    checkPart(`${caller}: ${name}`, given[name as keyof typeof given], methods);
  }
  const { scheduler, objective } = given;
  checkObjective(`${caller}: objective`, objective);
  const steps = checkNumber(
    `${caller}: scheduler.config.num_train_timesteps`,
    scheduler.config?.num_train_timesteps,
    { integer: true, min: 1 },
  );
  const settings: StageSettings = {
    warmupSteps: 10,
    schedule: "constant",
    weightDecay: 0.01,
    maxGradNorm: 1,
    accumulation: 1,
    conflict: given.aggregator !== undefined,
    target: "scheduler",
    timestepRange: [0, steps],
    localTokens: 0,
    chunk: 16,
    encoderMicroBatch: 8,
    communicator: singleProcess,
    ...given,
  };
  checkSchedule(caller, settings);
  checkSizes(caller, settings);
  checkTarget(caller, settings, steps);
  checkAggregator(`${caller}: aggregator`, settings.aggregator);
  checkSource(caller, settings);
  checkAgreement(caller, settings);
  return settings;
}

const count = { integer: true, min: 0 };

function checkSchedule(caller: string, settings: StageSettings): void {
  const { learningRate, warmupSteps, schedule, totalSteps, weightDecay, maxGradNorm } = settings;
  checkNumber(`${caller}: learningRate`, learningRate, { min: 0 });
  checkNumber(`${caller}: warmupSteps`, warmupSteps, count);
  checkChoice(`${caller}: schedule`, schedule, ["constant", "cosine"]);
  if (schedule === "cosine") {
    checkNumber(`${caller}: totalSteps`, totalSteps, { integer: true, min: 1 });
  } else if (totalSteps !== undefined) {
    throw new Error(`${caller}: totalSteps applies to schedule "cosine" only, got ${totalSteps}`);
  }
  checkNumber(`${caller}: weightDecay`, weightDecay, { min: 0 });
  checkNumber(`${caller}: maxGradNorm`, maxGradNorm, { above: 0 });
}

function checkSizes(caller: string, { seed, accumulation, chunk, encoderMicroBatch }: StageSettings): void {
  checkNumber(`${caller}: seed`, seed, count);
  checkNumber(`${caller}: accumulation`, accumulation, { integer: true, min: 1 });
  checkNumber(`${caller}: chunk`, chunk, count);
  checkNumber(`${caller}: encoderMicroBatch`, encoderMicroBatch, count);
}

/** @param steps the scheduler's timesteps */
function checkTarget(
  caller: string,
  { target, scheduler, timestepRange }: StageSettings,
  steps: number,
): void {
  checkChoice(`${caller}: target`, target, ["scheduler", "velocity"]);
  if (target === "velocity") checkPart(`${caller}: scheduler`, scheduler, ["velocity"]);
  if (!Array.isArray(timestepRange) || timestepRange.length !== 2) {
    throw new TypeError(`${caller}: timestepRange must be [first, end), got ${describe(timestepRange)}`);
  }
  const [first, end] = timestepRange;
  checkNumber(`${caller}: timestepRange[0]`, first, { integer: true, min: 0, below: steps });
  checkNumber(`${caller}: timestepRange[1]`, end, { integer: true, above: first, max: steps });
}

function checkAggregator(name: string, aggregator: Aggregator | undefined): void {
  if (aggregator === undefined) return;
  const { combine } = aggregator as { combine?: unknown };
  if (typeof aggregator.weigh !== "function" && typeof combine === "function") {
    throw new TypeError(
      `${name} must be one with weigh(); ${describe(aggregator.name ?? "this one")} combines gradients element by element`,
    );
  }
  checkPart(name, aggregator, ["weigh"]);
  checkText(`${name}.name`, aggregator.name);
}

function checkSource(caller: string, { source, communicator, objective }: StageSettings): void {
  checkPart(`${caller}: communicator`, communicator, ["allReduce", "allGather"]);
  const { size: processes } = communicator;
  checkNumber(`${caller}: communicator.size`, processes, { integer: true, min: 1 });
  checkNumber(`${caller}: communicator.rank`, communicator.rank, { integer: true, min: 0, below: processes });
  checkNumber(`${caller}: source.batchSize`, source.batchSize, { integer: true, min: 1 });
  if (source.batchSize * processes < 2 && objective.needsNegatives !== false) {
    throw new Error(`${caller}: source.batchSize must be at least 2, got 1; a batch of one has no negatives`);
  }
  if (source.length !== undefined && source.length < source.batchSize) {
    throw new Error(
      `${caller}: source has ${source.length} images, fewer than its batch of ${source.batchSize}`,
    );
  }
}

/** Checks the parts against each other. */
function checkAgreement(caller: string, settings: StageSettings): void {
  const { source, encoder, projector, denoiser, latents, localTokens, gradientCheckpointing } = settings;
  const agree = (one: string, a: number, other: string, b: number): void => {
    if (a !== b) throw new Error(`${caller}: ${one} and ${other} must be equal, got ${a} and ${b}`);
  };
  const { featureSize } = encoder;
  agree("the encoder's imageSize", encoder.imageSize, "the source's size", source.size);
  agree("the encoder's featureSize", featureSize, "the projector's inFeatures", projector.inFeatures);
  agree(
    "the projector's outFeatures",
    projector.outFeatures,
    "the denoiser's conditionSize",
    denoiser.conditionSize,
  );
  agree(
    "the latents' channels",
    latents.latentChannels,
    "the denoiser's latentChannels",
    denoiser.latentChannels,
  );
  checkNumber(`${caller}: localTokens`, localTokens, { min: 0, max: 1 });
  if (localTokens > 0) checkPart(`${caller}: encoder`, encoder, ["tokens"]);
  if (gradientCheckpointing !== undefined) {
    checkPart(`${caller}: encoder`, encoder, ["enableGradientCheckpointing"]);
  }
  if (localTokens > 0 && !denoiser.capabilities?.tokenConditions) {
    throw new Error(
      `${caller}: localTokens must be 0 for this denoiser, whose capabilities.tokenConditions is false, got ${localTokens}`,
    );
  }
}

/** Checks that others' code has the methods that a stage calls. */
function checkPart(name: string, part: unknown, methods: readonly (string | symbol)[]): void {
  const missing = methods.find(
    (method) => typeof (part as Record<string | symbol, unknown> | undefined)?.[method] !== "function",
  );
  if (missing === undefined) return;
  const method = typeof missing === "symbol" ? "[Symbol.asyncIterator]" : missing;
  throw new TypeError(`${name} must be an object with ${method}(), got ${describe(part)}`);
}

function checkObjective(name: string, objective: Objective): void {
  checkText(`${name}.name`, objective.name);
  checkBoolean(`${name}.usesAugmented`, objective.usesAugmented);
  checkBoolean(`${name}.usesPredictions`, objective.usesPredictions);
  if (objective.needsNegatives !== undefined) {
    checkBoolean(`${name}.needsNegatives`, objective.needsNegatives);
  }
  if (objective.remember !== undefined) checkPart(name, objective, ["remember"]);
}
