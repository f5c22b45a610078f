import type { DDPMScheduler, Denoiser, LatentDistribution } from "@dcr-js/diffusion";
import type { CLIPImageProcessor, CLIPModel } from "@dcr-js/encoders";
import {
  type Aggregator,
  combineGradients,
  conflictFromGram,
  type GradientConflict,
  gramMatrix,
} from "@dcr-js/gradient-conflict";
import {
  AdamW,
  accumulateGradients,
  clipGradNorm,
  type Parameter,
  type StateDict,
  warmupConstant,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { Projector } from "../projector.js";
import type { ImageSource } from "./training-batch.js";

/** What the two stages share. */
export interface StageOptions {
  source: ImageSource;
  processor: CLIPImageProcessor;
  encoder: CLIPModel;
  projector: Projector;
  denoiser: Denoiser;
  scheduler: DDPMScheduler;
  /** The latent posterior of images by position. A function of the images alone, so it may be cached; the trainer disposes the result. */
  latents: (indices: Int32Array) => LatentDistribution;
  /** The VAE's scaling factor. */
  scalingFactor: number;
  seed: number;
  batchSize: number;
  learningRate: number;
  /** Default 10. */
  warmupSteps?: number;
  /** Default 0.01. */
  weightDecay?: number;
  /** Global norm that gradients are clipped to. Default 1. */
  maxGradNorm?: number;
  /** Batches to a step. Default 1. */
  accumulation?: number;
  /** Of contrastive losses. Default 0.1. */
  temperature?: number;
  /** Makes the step's gradient of the losses' gradients, each times its loss's weight. Default `weightedSum()`, their sum. */
  aggregator?: Aggregator;
}

/** What a step reports. */
export interface StepRecord {
  /** From 0. */
  step: number;
  /** The weighted sum of the losses. */
  loss: number;
  losses: Record<string, number>;
  /** Global norm of the gradient, before clipping. */
  gradNorm: number;
  /** How the losses' gradients stand to one another, where there are two or more. */
  conflict?: GradientConflict;
}

/** A stage in progress. */
export interface Stage {
  /** @throws when loss or gradient is not finite; the weights are as before then. */
  step(): Promise<StepRecord>;
  /** Everything that a later process needs to go on; the caller disposes the tensors. */
  state(): StateDict;
  /** Goes on from a `state()`, to the identical result. @throws on one of another setting; nothing is changed then. */
  restore(state: StateDict): void;
  dispose(): void;
}

/** Sums of gradients over the batches of a step, by loss. */
export interface Accumulated {
  values: Record<string, number>;
  weights: Record<string, number>;
  gradients: Map<string, tf.Tensor[]>;
}

/** Adds one batch's gradients of one loss; takes them over. */
export function addGradients(
  into: Accumulated,
  name: string,
  weight: number,
  value: number,
  gradients: tf.Tensor[],
): void {
  into.values[name] = (into.values[name] ?? 0) + value;
  into.weights[name] = weight;
  into.gradients.set(name, accumulateGradients(into.gradients.get(name), gradients));
}

/** Both stages: gather gradients by loss, measure conflict, make one gradient of them, clip, step. */
export class OptimizedStage implements Stage {
  private readonly optimizer: AdamW;
  private readonly schedule: (step: number) => number;
  private done = 0;
  private memory: number[] | undefined;

  constructor(
    private readonly options: StageOptions,
    private readonly parameters: Parameter[],
    /** Adds the gradients of batch number `batch`. */
    private readonly accumulate: (batch: number, into: Accumulated) => Promise<void>,
  ) {
    const { learningRate, weightDecay = 0.01, warmupSteps = 10 } = options;
    this.optimizer = new AdamW(parameters, { learningRate, weightDecay });
    // Hugging Face's warm-up wastes its first step on a rate of zero; a short run cannot spare it.
    const warmup = warmupConstant({ warmupSteps });
    this.schedule = (step) => warmup(step + 1);
  }

  async step(): Promise<StepRecord> {
    const { accumulation = 1, maxGradNorm = 1, learningRate } = this.options;
    const sums: Accumulated = { values: {}, weights: {}, gradients: new Map() };
    for (let i = 0; i < accumulation; i++) await this.accumulate(this.done * accumulation + i, sums);
    const names = [...sums.gradients.keys()];
    const lists = [...sums.gradients.values()];
    const shares = names.map((name) => sums.weights[name] / accumulation);
    const gram = names.length > 1 || this.options.aggregator ? await gramMatrix(lists) : undefined;
    const conflict = gram && names.length > 1 ? conflictFromGram(names, gram) : undefined;
    let weighting: { weights: ArrayLike<number>; memory?: number[] };
    try {
      weighting = this.weigh(shares, gram);
    } catch (error) {
      tf.dispose(lists);
      throw error;
    }
    const total = combineGradients(lists, weighting.weights);
    const { gradients, norm } = clipGradNorm(total, maxGradNorm);
    const gradNorm = (await norm.data())[0];
    const losses = Object.fromEntries(names.map((name) => [name, sums.values[name] / accumulation]));
    const loss = names.reduce((sum, name) => sum + losses[name] * sums.weights[name], 0);
    const finite = Number.isFinite(loss) && Number.isFinite(gradNorm);
    // A step along NaN would leave neither weights nor moments to go back to.
    if (finite) {
      this.optimizer.step(gradients, learningRate * this.schedule(this.done));
      // A saved state holds float32; memory of the same precision goes on to the identical numbers.
      this.memory = weighting.memory?.map(Math.fround);
    }
    tf.dispose([lists, total, gradients, norm] as tf.TensorContainer);
    if (!finite) {
      throw new Error(
        `training: step ${this.done} gave a loss of ${loss} and a gradient norm of ${gradNorm}; it was not taken`,
      );
    }
    return { step: this.done++, loss, losses, gradNorm, conflict };
  }

  /** Weights of the losses' gradients in the step's; `shares` are those in the plain sum. */
  private weigh(shares: number[], gram?: Float64Array) {
    const { aggregator } = this.options;
    // A gradient that is not finite is refused after this, with the loss that gave it.
    if (!aggregator || !gram?.every(Number.isFinite)) return { weights: shares };
    const m = shares.length;
    const shared = gram.map((inner, at) => inner * shares[Math.floor(at / m)] * shares[at % m]);
    const { weights, memory } = aggregator.weigh(shared, { step: this.done, memory: this.memory });
    return { weights: weights.map((weight, i) => weight * shares[i]), memory };
  }

  state(): StateDict {
    const state = this.optimizer.stateDict();
    if (this.memory) state["aggregator.memory"] = tf.tensor1d(this.memory);
    for (const [i, parameter] of this.parameters.entries())
      state[`parameter.${i}`] = tf.clone(parameter.value);
    return state;
  }

  restore(state: StateDict): void {
    const memory = state["aggregator.memory"];
    if (memory && !this.options.aggregator) {
      throw new Error(`restore: the state holds an aggregator's memory, and the stage has no aggregator`);
    }
    for (const [i, { shape }] of this.parameters.entries()) {
      const given = state[`parameter.${i}`];
      if (!given) throw new Error(`restore: "parameter.${i}" is missing`);
      if (!tf.util.arraysEqual(given.shape, shape)) {
        throw new Error(
          `restore: "parameter.${i}" has shape [${given.shape}], expected [${shape}]; is the stage set up as before?`,
        );
      }
    }
    this.optimizer.loadStateDict(state);
    for (const [i, parameter] of this.parameters.entries()) parameter.assign(state[`parameter.${i}`]);
    this.done = this.optimizer.stepCount;
    this.memory = memory && Array.from(memory.dataSync());
  }

  dispose(): void {
    this.optimizer.dispose();
  }
}
