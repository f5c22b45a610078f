import * as tf from "@tensorflow/tfjs-core";
import { stopGradient } from "../math/stop-gradient.js";

/**
 * Vectors of the last axis divided by their Euclidean norm, for any length that float32 holds.
 *
 * @param x `[..., dim]`
 * @returns the same shape; a zero vector stays zero and has a gradient of zero. The caller disposes it.
 */
export function normalizeRows<T extends tf.Tensor>(x: T): T {
  return tf.tidy(() => {
    // Squares of long vectors overflow and those of short ones vanish, so the largest element is made 1 first.
    const largest = stopGradient(tf.max(tf.abs(x), -1, true));
    const isZero = stopGradient(largest, (y) => tf.equal(y, 0));
    const scaled = tf.div(x, tf.where(isZero, tf.onesLike(largest), largest));
    const squares = tf.sum(tf.square(scaled), -1, true);
    const inverse = tf.rsqrt(tf.where(isZero, tf.onesLike(squares), squares));
    const isNotZero = stopGradient(largest, (y) => tf.cast(tf.notEqual(y, 0), "float32"));
    return tf.mul(tf.mul(scaled, inverse), isNotZero) as T;
  });
}
