import type * as tf from "@tensorflow/tfjs-core";

/**
 * A training objective: from features and predictions to named losses, with their gradients there. The trainer carries the
 * gradients on to what it trains, so an objective knows neither the encoder nor the projector, and no optimizer.
 *
 * `featureObjective` and `predictionObjective` make one of a plain loss function.
 */
export interface Objective {
  readonly name: string;
  /** Whether it looks at the augmented views: else they are not encoded. */
  readonly usesAugmented: boolean;
  /** Whether it looks at the denoiser's predictions: else no latents are encoded and nothing is predicted. */
  readonly usesPredictions: boolean;
  /** Whether it needs other images as negatives, and so a batch of two or more. Default true. */
  readonly needsNegatives?: boolean;
  /** Runs in a tidy: it need dispose nothing, and the trainer disposes what it returns. */
  terms(input: ObjectiveInput): ObjectiveTerm[];
  /**
   * The `memory` that the objective is given in the next step; left out where it needs none. The trainer saves it with the
   * stage's state.
   *
   * @param metrics of the step that was taken, averaged over its batches. @param memory what this step was given
   */
  remember?(metrics: Readonly<Record<string, number>>, memory?: readonly number[]): number[];
}

/**
 * The arguments of an objective, for a batch of `N` images. Where several processes train together, `N` counts the images
 * of all of them, and this process predicts for its own `n` of them. Alone, `n = N`.
 */
export interface ObjectiveInput {
  /** `z`, `[N, d]`. */
  features: tf.Tensor2D;
  /** `z` of the augmented views, `[N, d]`, where the objective uses them. */
  augmented?: tf.Tensor2D;
  /** Asks the denoiser, where the objective uses predictions. */
  predictor?: Predictor;
  /** How many processes share the batch. Their values and gradients are summed, so each gives its share. */
  processes: number;
  /**
   * Whether somebody looks at the losses' gradients one by one. If not, an objective may return one term of the weighted sum,
   * which is often less work.
   */
  apart: boolean;
  /** The value that `remember` returned after the step before; undefined in the first. */
  memory?: readonly number[];
}

/** Predictions of the noisy images of this process. */
export interface Predictor {
  /** `h(z)` of all images, `[N, c]`, or `[N, tokens, c]` with local tokens. */
  conditions: tf.Tensor;
  /** `h(z)` of the augmented views, of the same shape, where the objective uses them. */
  augmentedConditions?: tf.Tensor;
  /** `G` of this process's images: what the denoiser should predict, `[n, h, w, channels]`. */
  target: tf.Tensor4D;
  /** This process's images are `offset..offset + n - 1` of the N. */
  offset: number;
  /** How many predictions are made at once; 0 makes all. */
  chunk: number;
  /**
   * @param images numbers in `0..n-1`, one for each prediction @param conditions one for each prediction
   * @returns `[images.length, h, w, channels]`, differentiable in `conditions`
   */
  predict(images: Int32Array, conditions: tf.Tensor): tf.Tensor4D;
}

/** One loss, or the weighted sum of several, with its gradient where the loss was taken. What is left out is zero. */
export interface ObjectiveTerm {
  name: string;
  /** Its share in the sum that is minimised. */
  weight: number;
  /** This process's share of the loss. */
  value: tf.Scalar;
  /** The losses that it is the weighted sum of, where it is a sum; a step reports these in its place. */
  parts?: { name: string; weight: number; value: tf.Scalar }[];
  /** Gradient at `features`, `[N, d]`. */
  features?: tf.Tensor2D;
  /** Gradient at `augmented`, `[N, d]`. */
  augmented?: tf.Tensor2D;
  /** Gradient at `predictor.conditions`, of their shape. */
  conditions?: tf.Tensor;
  /** Gradient at `predictor.augmentedConditions`, of their shape. */
  augmentedConditions?: tf.Tensor;
  /** Figures for the record of the step, this process's share of each. */
  metrics?: Record<string, tf.Scalar>;
}
