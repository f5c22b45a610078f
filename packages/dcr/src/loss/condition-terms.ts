import * as tf from "@tensorflow/tfjs-core";
import {
  conditionGradient,
  createPredictor,
  type Denoiser,
  type NoisyBatch,
  type Pairs,
  predictAll,
} from "../denoiser.js";
import { dcrLossTerms, type DCRLossOptions } from "./dcr-loss.js";

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

/**
 * The reconstruction loss of DIVA and GenHancer, `mean || P[i, i] - G_i ||^2` (Han et al. 2026, eq. 2), with its
 * gradient at the conditions `[N, c]`. The caller disposes the tensors.
 */
export function reconstructionTerm(denoiser: Denoiser, batch: NoisyBatch, conditions: tf.Tensor2D): ConditionTerm {
  const n = conditions.shape[0];
  const predictor = createPredictor(denoiser, batch);
  const own = { images: range(n), conditions: range(n) };
  const { value, grad } = tf.valueAndGrad((h) =>
    tf.mean(tf.squaredDifference(predictor.predict(own, h as tf.Tensor2D), batch.target)),
  )(conditions);
  predictor.dispose();
  return { name: "rec", weight: 1, value: value as tf.Scalar, conditions: grad as tf.Tensor2D };
}

/** The pairs that DCR predicts: all (i, k) by rows, then each image with its own augmented view's condition. */
function dcrPairs(n: number): Pairs {
  const images = Int32Array.from({ length: n * n + n }, (_, row) => (row < n * n ? Math.floor(row / n) : row - n * n));
  const conditions = Int32Array.from({ length: n * n + n }, (_, row) => (row < n * n ? row % n : row - n * n + n));
  return { images, conditions };
}

/**
 * The DCR loss (Han et al. 2026, eq. 6) split by positive, with gradients at the conditions; the weights of the two
 * terms are one half each. All N^2 + N predictions are made without a graph; then, from the loss's gradient at the
 * predictions, the denoiser is run again in chunks.
 *
 * The terms share everything but `s(a, A+)` and `s(a, G)`, so their gradients are the whole gradient plus or minus
 * half of that difference's, which passes through the 2N predictions of anchors and augmented views alone.
 *
 * @param conditions `h(z)`, `[N, c]`. @param augmented `h(z)` of the augmented views, `[N, c]`.
 * @returns the terms `dcrAugmented` and `dcrTarget`; the caller disposes their tensors.
 */
export function dcrTerms(
  denoiser: Denoiser,
  batch: NoisyBatch,
  conditions: tf.Tensor2D,
  augmented: tf.Tensor2D,
  options: DCRLossOptions = {},
): ConditionTerm[] {
  const n = conditions.shape[0];
  const { chunk } = denoiser.savings;
  const predictor = createPredictor(denoiser, batch);
  const pairs = dcrPairs(n);
  const terms = tf.tidy(() => {
    const both = tf.concat([conditions, augmented]) as tf.Tensor2D;
    const predicted = predictAll(predictor, pairs, both, chunk);
    const image = batch.target.shape.slice(1) as [number, number, number];
    const losses = (all: tf.Tensor) =>
      dcrLossTerms(
        {
          predictions: tf.reshape(tf.slice(all, 0, n * n), [n, n, ...image]) as tf.Tensor5D,
          augmented: tf.slice(all, n * n, n) as tf.Tensor4D,
          target: batch.target,
        },
        options,
      );
    const dWhole = tf.grad((all) => {
      const { augmented: a, target: g } = losses(all);
      return tf.mean(tf.mul(tf.add(a, g), 0.5));
    })(predicted) as tf.Tensor4D;
    const dDifference = tf.grad((all) => {
      const { augmented: a, target: g } = losses(all);
      return tf.mean(tf.sub(a, g));
    })(predicted) as tf.Tensor4D;
    const touched = Int32Array.from({ length: 2 * n }, (_, i) => (i < n ? i * (n + 1) : n * n + i - n));
    const few = {
      images: touched.map((row) => pairs.images[row]),
      conditions: touched.map((row) => pairs.conditions[row]),
    };
    const whole = conditionGradient(predictor, pairs, both, dWhole, chunk);
    const rows = tf.tensor1d(touched, "int32");
    const difference = conditionGradient(predictor, few, both, tf.gather(dDifference, rows) as tf.Tensor4D, chunk);
    const values = losses(predicted);
    const term = (name: string, value: tf.Tensor1D, sign: number): ConditionTerm => {
      const gradient = tf.add(whole, tf.mul(difference, sign * 0.5));
      return {
        name,
        weight: 0.5,
        value: tf.mean(value),
        conditions: tf.slice(gradient, 0, n) as tf.Tensor2D,
        augmented: tf.slice(gradient, n, n) as tf.Tensor2D,
      };
    };
    return [term("dcrAugmented", values.augmented, 1), term("dcrTarget", values.target, -1)] as never;
  }) as unknown as ConditionTerm[];
  predictor.dispose();
  return terms;
}
