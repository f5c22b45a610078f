import * as tf from "@tensorflow/tfjs-core";
import { largestFloat } from "../shared/check-float.js";
import { saturate } from "./saturate.js";
import { stopGradient } from "./stop-gradient.js";

/**
 * Scores that take no part, the least float32: their exponential is 0 beside any other score, and unlike -Infinity no backend's gradient
 * meets NaN.
 */
export const absent = -largestFloat;

/** Keeps the scores where the mask is true, and makes the others {@link absent}. */
export function keepWhere(mask: tf.Tensor, scores: tf.Tensor): tf.Tensor {
  return tf.where(mask, scores, tf.fill(scores.shape, absent));
}

/**
 * `log(1 + sum_j exp(x_j))` over the last axis, exact for sums far below 1 too: a plain log-sum-exp loses them in the
 * rounding of 1.
 *
 * @param scores `[..., m]`; infinite ones count as the largest float32
 * @returns `[...]`
 */
export function logOnePlusSumExp(scores: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    // Infinity minus itself is NaN.
    const x = saturate(scores);
    // The shift cancels, so no gradient flows through it.
    const shift = stopGradient(tf.maximum(tf.max(x, -1, true), 0));
    const sum = tf.sum(tf.exp(tf.sub(x, shift)), -1);
    const flat = tf.squeeze(shift, [x.rank - 1]);
    return tf.add(flat, tf.log1p(tf.add(sum, tf.expm1(tf.neg(flat)))));
  });
}

/**
 * `log sum_j exp(x_j)` over the last axis of the scores that the mask keeps, and 0 for rows of which it keeps none, whose
 * gradient is 0 too.
 *
 * @param x `[n, m]`. @param mask `[n, m]`, bool.
 * @returns `[n]`
 */
export function maskedLogSumExp(x: tf.Tensor, mask: tf.Tensor): tf.Tensor1D {
  return tf.tidy(() => {
    const some = tf.any(mask, 1);
    const total = tf.logSumExp(keepWhere(mask, x), 1);
    return tf.where(some, total, tf.zerosLike(total)) as tf.Tensor1D;
  });
}
