import * as tf from "@tensorflow/tfjs-core";
import {
  backpropagateInChunks,
  type ConditionedPredictions,
  chunkedGradient,
  predictInChunks,
} from "../chunked-gradient.js";
import { createPredictor, type Denoiser, type NoisyBatch, type Predictor } from "../denoiser.js";
import { type DCRPositive, type DCRTermsOptions, dcrLossGradients, dcrLossTerms } from "./dcr-loss.js";
import { reconstructionLoss } from "./reconstruction-loss.js";

/** A loss on predictions, and its gradient at the conditions that they were made with. */
export interface ConditionTerm {
  name: string;
  /** Its share in the sum that is minimised. */
  weight: number;
  value: tf.Scalar;
  /** Gradient at `h(z)`, `[N, c]`. */
  conditions: tf.Tensor2D;
  /** Gradient at `h(z)` of the augmented views, `[N, c]`, where the loss uses them. */
  augmented?: tf.Tensor2D;
}

const range = (n: number) => Int32Array.from({ length: n }, (_, i) => i);

/** Predictions of the predictor, each of image `images[r]` with condition `conditionOf[r]`. */
function conditionedPredictions(
  predictor: Predictor,
  images: Int32Array,
  conditions: tf.Tensor2D,
  conditionOf: Int32Array,
  chunk: number,
): ConditionedPredictions {
  return {
    conditions,
    conditionOf,
    chunk,
    predict: (rows, e) =>
      predictor.predict(
        { images: rows.map((row) => images[row]), conditions: range(rows.length) },
        e as tf.Tensor2D,
      ),
  };
}

/**
 * {@link reconstructionLoss} of the own predictions `P[i, i]`, with its gradient at the conditions `[N, c]`. The caller
 * disposes the tensors.
 */
export function reconstructionTerm(
  denoiser: Denoiser,
  batch: NoisyBatch,
  conditions: tf.Tensor2D,
): ConditionTerm {
  const n = conditions.shape[0];
  const predictor = createPredictor(denoiser, batch);
  const { chunk } = denoiser.savings;
  const loss = (x: tf.Tensor) => reconstructionLoss(x, batch.target);
  let result: { value: tf.Tensor; gradient: tf.Tensor };
  if (chunk === 0 || n <= chunk) {
    // One graph holds them all: no need to predict twice.
    const own = { images: range(n), conditions: range(n) };
    const { value, grad } = tf.valueAndGrad((h) => loss(predictor.predict(own, h as tf.Tensor2D)))(
      conditions,
    );
    result = { value, gradient: grad };
  } else {
    const predictions = conditionedPredictions(predictor, range(n), conditions, range(n), chunk);
    const { value, conditionGradient } = chunkedGradient(predictions, (x) => {
      const { value, grad } = tf.valueAndGrad(loss)(x);
      return { value: value as tf.Scalar, gradient: grad };
    });
    result = { value, gradient: conditionGradient };
  }
  predictor.dispose();
  return {
    name: "rec",
    weight: 1,
    value: result.value as tf.Scalar,
    conditions: result.gradient as tf.Tensor2D,
  };
}

const termNames = { augmented: "dcrAugmented", target: "dcrTarget" };

/**
 * The DCR loss (Han et al. 2026, eq. 6) apart by positive, with gradients at the conditions; the terms' weights make
 * the loss. All N^2 + N predictions are made without a graph; then, from the loss's gradient at the predictions, the
 * denoiser is run again in chunks.
 *
 * The two terms share everything but `s(a, A+)` and `s(a, G)`, so their gradients are the whole gradient plus and
 * minus half of that difference's, which passes through the 2N predictions of anchors and augmented views alone.
 *
 * @param conditions `h(z)`, `[N, c]`. @param augmented `h(z)` of the augmented views, `[N, c]`.
 * @returns the terms `dcrAugmented` and `dcrTarget`, those of `options.positives`; the caller disposes their tensors.
 */
export function dcrTerms(
  denoiser: Denoiser,
  batch: NoisyBatch,
  conditions: tf.Tensor2D,
  augmented: tf.Tensor2D,
  options: DCRTermsOptions = {},
): ConditionTerm[] {
  const n = conditions.shape[0];
  const { positives = ["augmented", "target"] } = options;
  const withAugmented = positives.includes("augmented");
  const count = withAugmented ? n * n + n : n * n;
  // All (i, k) by rows, then each image with its own augmented view's condition.
  const images = Int32Array.from({ length: count }, (_, row) =>
    row < n * n ? Math.floor(row / n) : row - n * n,
  );
  const conditionOf = Int32Array.from({ length: count }, (_, row) =>
    row < n * n ? row % n : row - n * n + n,
  );
  const predictor = createPredictor(denoiser, batch);
  const terms = tf.tidy(() => {
    const all = withAugmented ? (tf.concat([conditions, augmented]) as tf.Tensor2D) : conditions;
    const made = conditionedPredictions(predictor, images, all, conditionOf, denoiser.savings.chunk);
    const predicted = predictInChunks(made);
    const item = batch.target.shape.slice(1);
    const inputs = {
      predictions: tf.reshape(tf.slice(predicted, 0, n * n), [n, n, ...item]),
      target: batch.target,
      ...(withAugmented && { augmented: tf.slice(predicted, n * n, n) }),
    };
    const gradientAt = (towards: readonly DCRPositive[]) => {
      const { predictions, augmented: views } = dcrLossGradients(inputs, { ...options, towards });
      const flat = tf.reshape(predictions, [n * n, ...item]);
      return views ? tf.concat([flat, views]) : flat;
    };
    const values = dcrLossTerms(inputs, options);
    const whole = gradientAt(positives);
    const gradient = backpropagateInChunks(made, whole);
    const term = (positive: DCRPositive, gradient: tf.Tensor): ConditionTerm => ({
      name: termNames[positive],
      weight: 1 / positives.length,
      value: tf.mean(values[positive]!),
      conditions: tf.slice(gradient, 0, n) as tf.Tensor2D,
      ...(withAugmented && { augmented: tf.slice(gradient, n, n) as tf.Tensor2D }),
    });
    if (positives.length === 1) return [term(positives[0], gradient)] as never;
    const touched = Int32Array.from({ length: 2 * n }, (_, i) => (i < n ? i * (n + 1) : n * n + i - n));
    const apart = tf.gather(tf.sub(gradientAt(["augmented"]), whole), tf.tensor1d(touched, "int32"));
    const difference = backpropagateInChunks(made, apart, touched);
    return [
      term("augmented", tf.add(gradient, difference)),
      term("target", tf.sub(gradient, difference)),
    ] as never;
  }) as unknown as ConditionTerm[];
  predictor.dispose();
  return terms;
}
