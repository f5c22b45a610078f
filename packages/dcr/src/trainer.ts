import { supCon } from "@dcr-js/contrastive";
import { type DDPMScheduler, type LatentDistribution, sampleLatents } from "@dcr-js/diffusion";
import {
  AdamW,
  clipGradNorm,
  type Parameter,
  Random,
  type StateDict,
  valueAndGradients,
  warmupConstant,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { type AugmentOptions, augmentView, type HostImage } from "./augment.js";
import type { Denoiser, NoisyBatch } from "./denoiser.js";
import type { CLIPImageProcessor } from "./encoder/clip-image-processor.js";
import type { CLIPModel } from "./encoder/clip-model.js";
import { conflictFromGram, type GradientConflict, gramMatrix } from "./gradient-conflict/conflict.js";
import type { LoRA } from "./lora.js";
import { type ConditionTerm, dcrTerms, reconstructionTerm } from "./loss/condition-terms.js";
import type { Projector } from "./projector.js";

/** The images that an encoder is trained on. */
export interface ImageSource {
  length: number;
  /** Width and height. */
  size: number;
  /** RGB of image `index` in [0, 1], `[size, size, 3]`. */
  image(index: number): HostImage;
}

/** A loss on features, and its gradient there. */
export interface FeatureTerm {
  name: string;
  /** Its share in the sum that is minimised. */
  weight: number;
  value: tf.Scalar;
  /** Gradient at `z`, `[N, d]`. */
  features: tf.Tensor2D;
  /** Gradient at the augmented views' `z`, `[N, d]`, where the loss uses them. */
  augmented?: tf.Tensor2D;
}

/** What a method's loss is a function of. The tensors are the trainer's. */
export interface MethodInput {
  /** `z`, `[N, d]`. */
  features: tf.Tensor2D;
  /** `z` of the augmented views, `[N, d]`. */
  augmented: tf.Tensor2D;
  batch: NoisyBatch;
  denoiser: Denoiser;
  projector: Projector;
  temperature: number;
}

/**
 * A training objective: from features to losses and their gradients at the features. The trainer carries the
 * gradients on to the encoder, records how they conflict and takes the step along their weighted sum.
 * The trainer disposes what it returns.
 */
export type Method = (input: MethodInput) => FeatureTerm[];

/** A method from any differentiable loss on the features of images, of their augmented views, or of both. */
export function featureMethod(
  name: string,
  loss: (features: tf.Tensor2D, augmented: tf.Tensor2D, input: MethodInput) => tf.Scalar,
): Method {
  return (input) => {
    const { value, grads } = tf.valueAndGrads((z: tf.Tensor, a: tf.Tensor) => {
      // tfjs refuses an input that the loss does not depend on; this gives it a gradient of zero.
      const nothing = tf.mul(tf.add(tf.sum(z), tf.sum(a)), 0);
      return tf.add(loss(z as tf.Tensor2D, a as tf.Tensor2D, input), nothing) as tf.Scalar;
    })([input.features, input.augmented]);
    const [features, augmented] = grads as [tf.Tensor2D, tf.Tensor2D];
    return [{ name, weight: 1, value: value as tf.Scalar, features, augmented }];
  };
}

/** Carries the gradients of losses on predictions through the frozen projector to the features. */
function throughProjector(projector: Projector, input: MethodInput, terms: ConditionTerm[]): FeatureTerm[] {
  const back = (z: tf.Tensor2D, dh: tf.Tensor2D) =>
    tf.grad((x) => projector.forward(x as tf.Tensor2D))(z, dh) as tf.Tensor2D;
  return terms.map(({ name, weight, value, conditions, augmented }) => {
    const term: FeatureTerm = { name, weight, value, features: back(input.features, conditions) };
    if (augmented) term.augmented = back(input.augmented, augmented);
    tf.dispose([conditions, augmented ?? []]);
    return term;
  });
}

/** Each image's augmented view is its one positive, the other images and views its negatives. */
const con = featureMethod("con", (z, augmented, { temperature }) => {
  const labels = Array.from({ length: 2 * z.shape[0] }, (_, i) => i % z.shape[0]);
  return supCon(tf.concat([z, augmented]) as tf.Tensor2D, labels, { temperature });
});

const rec: Method = (input) => {
  const h = input.projector.forward(input.features);
  const terms = [reconstructionTerm(input.denoiser, input.batch, h)];
  h.dispose();
  return throughProjector(input.projector, input, terms);
};

const dcr: Method = (input) => {
  const [h, augmented] = [input.features, input.augmented].map((z) => input.projector.forward(z));
  const terms = dcrTerms(input.denoiser, input.batch, h, augmented, { temperature: input.temperature });
  tf.dispose([h, augmented]);
  return throughProjector(input.projector, input, terms);
};

/** The naive joint objective, `lambdaCon L_con + lambdaRec L_rec`, both 1 by default. */
export function jointMethod({ lambdaCon = 1, lambdaRec = 1 } = {}): Method {
  const weighted = (terms: FeatureTerm[], weight: number) => terms.map((term) => ({ ...term, weight }));
  return (input) => [...weighted(con(input), lambdaCon), ...weighted(rec(input), lambdaRec)];
}

/** The paper's comparison (Han et al. 2026, section 5): all but `original`, which trains nothing. */
export const methods = {
  /** The reconstruction loss alone (DIVA, GenHancer). */
  rec,
  /** A contrastive loss on the features alone. */
  con,
  /** Both, summed with equal weights: the naive joint objective. */
  naive: jointMethod(),
  /** The contrastive loss on predicted noise. */
  dcr,
} satisfies Record<string, Method>;

export type MethodName = keyof typeof methods;

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
}

/** What a step reports. */
export interface StepRecord {
  /** From 0. */
  step: number;
  /** The weighted sum that was minimised. */
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

/**
 * The rows of step `step`: epochs in random order, each a function of the seed and its number. The same for every
 * method, so that methods see the same images, noise and timesteps.
 */
export function batchIndices(seed: number, length: number, batchSize: number, step: number): Int32Array {
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > length) {
    throw new Error(
      `batchIndices: batchSize must be an integer in 1..${length}, the number of images, got ${batchSize}`,
    );
  }
  const perEpoch = Math.floor(length / batchSize);
  const order = new Random(seed)
    .fork("order")
    .fork(Math.floor(step / perEpoch))
    .permutation(length);
  const first = (step % perEpoch) * batchSize;
  return order.slice(first, first + batchSize);
}

function stackImages(images: HostImage[], size: number): tf.Tensor4D {
  const values = new Float32Array(images.length * size * size * 3);
  for (const [i, image] of images.entries()) values.set(image, i * image.length);
  return tf.tensor4d(values, [images.length, size, size, 3]);
}

/** Noisy latents of a batch, from a random source that the step alone determines. */
function noisyBatch(options: StageOptions, indices: Int32Array, random: Random): NoisyBatch {
  const { scheduler, scalingFactor, latents } = options;
  const timesteps = random.integerArray(indices.length, 0, scheduler.config.num_train_timesteps);
  const tensors = tf.tidy(() => {
    const posterior = latents(indices);
    const shape = posterior.mean.shape;
    const x0 = tf.mul(
      sampleLatents(posterior, random.normal(shape) as tf.Tensor4D),
      scalingFactor,
    ) as tf.Tensor4D;
    const noise = random.normal(shape) as tf.Tensor4D;
    return {
      noisy: scheduler.addNoise(x0, noise, timesteps),
      target: scheduler.target(x0, noise, timesteps),
    };
  });
  return { ...tensors, timesteps };
}

/** Sums of gradients over the batches of a step, by loss. */
interface Accumulated {
  values: Record<string, number>;
  weights: Record<string, number>;
  gradients: Map<string, tf.Tensor[]>;
}

function addGradients(
  into: Accumulated,
  name: string,
  weight: number,
  value: number,
  gradients: tf.Tensor[],
): void {
  into.values[name] = (into.values[name] ?? 0) + value;
  into.weights[name] = weight;
  const before = into.gradients.get(name);
  if (!before) {
    into.gradients.set(name, gradients);
    return;
  }
  into.gradients.set(
    name,
    before.map((sum, i) => tf.add(sum, gradients[i])),
  );
  tf.dispose([before, gradients]);
}

/** Both stages: gather gradients by loss, measure conflict, clip, step. */
class OptimizedStage implements Stage {
  private readonly optimizer: AdamW;
  private readonly schedule: (step: number) => number;
  private done = 0;

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
    const conflict = names.length > 1 ? conflictFromGram(names, await gramMatrix(lists)) : undefined;
    const total = tf.tidy(() =>
      this.parameters.map((_, p) =>
        tf.addN(lists.map((list, i) => tf.mul(list[p], sums.weights[names[i]] / accumulation))),
      ),
    );
    const { gradients, norm } = clipGradNorm(total, maxGradNorm);
    const gradNorm = (await norm.data())[0];
    const losses = Object.fromEntries(names.map((name) => [name, sums.values[name] / accumulation]));
    const loss = names.reduce((sum, name) => sum + losses[name] * sums.weights[name], 0);
    const finite = Number.isFinite(loss) && Number.isFinite(gradNorm);
    // A step along NaN would leave neither weights nor moments to go back to.
    if (finite) this.optimizer.step(gradients, learningRate * this.schedule(this.done));
    tf.dispose([lists, total, gradients, norm] as tf.TensorContainer);
    if (!finite) {
      throw new Error(
        `training: step ${this.done} gave a loss of ${loss} and a gradient norm of ${gradNorm}; it was not taken`,
      );
    }
    return { step: this.done++, loss, losses, gradNorm, conflict };
  }

  state(): StateDict {
    const state = this.optimizer.stateDict();
    for (const [i, parameter] of this.parameters.entries())
      state[`parameter.${i}`] = tf.clone(parameter.value);
    return state;
  }

  restore(state: StateDict): void {
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
  }

  dispose(): void {
    this.optimizer.dispose();
  }
}

/**
 * Stage 1, projector alignment (Han et al. 2026, section 4.3): trains the projector alone with the reconstruction
 * loss (the paper) or the DCR loss (the reference code), the encoder frozen and its features computed once an image.
 */
export function alignProjector(
  options: StageOptions & { loss?: "rec" | "dcr"; augment?: AugmentOptions },
): Stage {
  const { source, encoder, processor, projector, denoiser, temperature, loss = "rec" } = options;
  encoder.requiresGrad(false).train(false);
  projector.requiresGrad(true);
  const parameters = projector.trainableParameters();
  const random = new Random(options.seed).fork("align");
  const features = new Map<number, tf.Tensor2D>();
  const encode = (images: HostImage[]) =>
    tf.tidy(() => encoder.encodeImage(processor.normalize(stackImages(images, source.size))));
  const featuresOf = (indices: Int32Array): tf.Tensor2D => {
    const missing = Array.from(indices).filter((index) => !features.has(index));
    if (missing.length > 0) {
      const fresh = encode(missing.map((index) => source.image(index)));
      const rows = tf.split(fresh, missing.length);
      for (const [i, index] of missing.entries()) features.set(index, tf.keep(rows[i]) as tf.Tensor2D);
      fresh.dispose();
    }
    return tf.concat(Array.from(indices, (index) => features.get(index)!)) as tf.Tensor2D;
  };
  const stage = new OptimizedStage(options, parameters, async (number, sums) => {
    const own = random.fork(number);
    const indices = batchIndices(options.seed, source.length, options.batchSize, number);
    const batch = noisyBatch(options, indices, own.fork("noise"));
    const z = featuresOf(indices);
    const views = loss === "dcr" ? augmentedViews(source, indices, own, options.augment) : undefined;
    const zAugmented = views && encode(views);
    const h = projector.forward(z);
    const hAugmented = zAugmented && projector.forward(zAugmented);
    const terms = hAugmented
      ? dcrTerms(denoiser, batch, h, hAugmented, { temperature })
      : [reconstructionTerm(denoiser, batch, h)];
    for (const term of terms) {
      const { value, gradients } = valueAndGradients(
        () =>
          tf.tidy(() => {
            const along = tf.sum(tf.mul(projector.forward(z), term.conditions));
            if (!term.augmented) return along as tf.Scalar;
            return tf.add(along, tf.sum(tf.mul(projector.forward(zAugmented!), term.augmented))) as tf.Scalar;
          }),
        parameters,
      );
      addGradients(sums, term.name, term.weight, (await term.value.data())[0], gradients);
      tf.dispose([value, term.value, term.conditions, term.augmented ?? []]);
    }
    tf.dispose([batch.noisy, batch.target, z, h, zAugmented ?? [], hAugmented ?? []]);
  });
  return {
    step: () => stage.step(),
    state: () => stage.state(),
    restore: (state) => stage.restore(state),
    dispose: () => {
      stage.dispose();
      tf.dispose([...features.values()]);
      features.clear();
    },
  };
}

function augmentedViews(
  source: ImageSource,
  indices: Int32Array,
  random: Random,
  options?: AugmentOptions,
): HostImage[] {
  const own = random.fork("augment");
  return Array.from(indices, (index) => augmentView(source.image(index), source.size, own, options));
}

export interface EnhanceOptions extends StageOptions {
  method: Method;
  /** The adapters to train, on the same encoder. */
  lora: LoRA;
  augment?: AugmentOptions;
}

/**
 * Stage 2, encoder enhancement (Han et al. 2026, section 4.3): trains the encoder's LoRA, everything else frozen.
 *
 * Features are computed without a graph, the method gives the losses' gradients at the features, and one more pass
 * through the encoder carries each on to the adapters.
 */
export function enhanceEncoder(options: EnhanceOptions): Stage {
  const { source, encoder, processor, projector, denoiser, lora, method, temperature = 0.1 } = options;
  projector.requiresGrad(false);
  encoder.train(true);
  const parameters = lora.parameters();
  const random = new Random(options.seed).fork("enhance");
  const stage = new OptimizedStage(options, parameters, async (number, sums) => {
    const own = random.fork(number);
    const indices = batchIndices(options.seed, source.length, options.batchSize, number);
    const n = indices.length;
    const batch = noisyBatch(options, indices, own.fork("noise"));
    const images = Array.from(indices, (index) => source.image(index));
    const pixels = tf.tidy(() =>
      processor.normalize(
        stackImages([...images, ...augmentedViews(source, indices, own, options.augment)], source.size),
      ),
    ) as tf.Tensor4D;
    const masks = own.fork("dropout").state;
    const encode = () => {
      // Every pass of a step drops the same inputs.
      lora.random.state = masks;
      return encoder.encodeImage(pixels);
    };
    const z = tf.tidy(encode);
    const [features, augmented] = tf.split(z, 2) as [tf.Tensor2D, tf.Tensor2D];
    const terms = method({ features, augmented, batch, denoiser, projector, temperature });
    for (const term of terms) {
      const dz = tf.tidy(() =>
        tf.concat([term.features, term.augmented ?? tf.zeros([n, features.shape[1]])]),
      );
      const { value, gradients } = valueAndGradients(
        () => tf.tidy(() => tf.sum(tf.mul(encode(), dz)) as tf.Scalar),
        parameters,
      );
      addGradients(sums, term.name, term.weight, (await term.value.data())[0], gradients);
      tf.dispose([dz, value, term.value, term.features, term.augmented ?? []]);
    }
    tf.dispose([batch.noisy, batch.target, pixels, z, features, augmented]);
  });
  return stage;
}
