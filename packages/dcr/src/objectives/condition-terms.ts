import { createPredictor, type Denoiser, type NoisyBatch, type Predictor } from "@dcr-js/diffusion";
import * as tf from "@tensorflow/tfjs-core";
import {
  backpropagateInChunks,
  type ConditionedPredictions,
  chunkedGradient,
  type LossGradient,
} from "../chunked-gradient.js";
import { type DCRPositive, type DCRTermsOptions, dcrLossGradients } from "./dcr-loss.js";
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
  const predictions = conditionedPredictions(
    predictor,
    range(n),
    conditions,
    range(n),
    denoiser.savings.chunk,
  );
  const { value, conditionGradient } = chunkedGradient(predictions, (predicted) => ({
    value: reconstructionLoss(predicted, batch.target),
    gradient: tf.mul(tf.sub(predicted, batch.target), 2 / predicted.size),
  }));
  predictor.dispose();
  return {
    name: "rec",
    weight: 1,
    value,
    conditions: conditionGradient as tf.Tensor2D,
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
    const item = batch.target.shape.slice(1);
    // The anchors' and the augmented views' predictions.
    const touched = Int32Array.from({ length: 2 * n }, (_, i) => (i < n ? i * (n + 1) : n * n + i - n));
    let apart: LossGradient | undefined;
    const whole = chunkedGradient(made, (predicted) => {
      const inputs = {
        predictions: tf.reshape(tf.slice(predicted, 0, n * n), [n, n, ...item]),
        target: batch.target,
        ...(withAugmented && { augmented: tf.slice(predicted, n * n, n) }),
      };
      const gradientAt = (towards: readonly DCRPositive[]): LossGradient => {
        const { value, predictions, augmented: views } = dcrLossGradients(inputs, { ...options, towards });
        const flat = tf.reshape(predictions, [n * n, ...item]);
        return { value, gradient: views ? tf.concat([flat, views]) : flat };
      };
      const all = gradientAt(positives);
      if (positives.length === 2) {
        const own = gradientAt(["augmented"]);
        const rows = tf.gather(tf.sub(own.gradient, all.gradient), tf.tensor1d(touched, "int32"));
        apart = { value: tf.keep(tf.sub(own.value, all.value)), gradient: tf.keep(rows) };
      }
      return all;
    });
    const term = (positive: DCRPositive, value: tf.Tensor, gradient: tf.Tensor): ConditionTerm => ({
      name: termNames[positive],
      weight: 1 / positives.length,
      value: value as tf.Scalar,
      conditions: tf.slice(gradient, 0, n) as tf.Tensor2D,
      ...(withAugmented && { augmented: tf.slice(gradient, n, n) as tf.Tensor2D }),
    });
    const { value, conditionGradient } = whole;
    if (!apart) return [term(positives[0], value, conditionGradient)] as never;
    const difference = backpropagateInChunks(made, apart.gradient, touched);
    const terms = [
      term("augmented", tf.add(value, apart.value), tf.add(conditionGradient, difference)),
      term("target", tf.sub(value, apart.value), tf.sub(conditionGradient, difference)),
    ];
    tf.dispose([apart.value, apart.gradient]);
    return terms as never;
  }) as unknown as ConditionTerm[];
  predictor.dispose();
  return terms;
}
