import * as tf from "@tensorflow/tfjs-core";
import { largestSize } from "./largest-size.js";
import { stopGradient } from "./stop-gradient.js";

/**
 * The Lp norm over the last axis, at every length that float32 has: the squares of 1e20 and 1e-23 are no float32. A zero vector has a
 * gradient of 0.
 *
 * @param x `[..., dim]`. @param p at least 1
 * @returns `[...]`
 */
export function lpNorm(x: tf.Tensor, p: number): tf.Tensor {
  return tf.tidy(() => {
    // tfjs's gradient of abs at 0 is -1.
    const sizeOf = (y: tf.Tensor) => tf.mul(y, stopGradient(y, tf.sign));
    if (p === 1) return tf.sum(sizeOf(x), -1);
    // The norm of a multiple is that multiple of the norm, so the scale is a constant for the gradient.
    const scale = stopGradient(x, (y) => largestSize(y, -1));
    const scaled = tf.div(x, scale);
    const sums = tf.sum(p === 2 ? tf.square(scaled) : tf.pow(sizeOf(scaled), p), -1);
    // A root has no finite slope at 0; there the norm is 0 and so is its gradient.
    const isZero = stopGradient(sums, (y) => tf.equal(y, 0));
    const roots = tf.pow(tf.where(isZero, tf.onesLike(sums), sums), 1 / p);
    return tf.where(isZero, tf.zerosLike(sums), tf.mul(roots, tf.squeeze(scale, [-1])));
  });
}
