import * as tf from "@tensorflow/tfjs-core";
import { describe } from "./check-options.js";
import { unrecorded } from "./gradients-tape.js";

/** The smallest normal float32. A smaller one may be 0 on a GPU, and its direction has a gradient beyond float32. */
const smallest = 2 ** -126;

/**
 * Vectors of length 1 in the direction of those along `axis`: `x / ||x||_2`, at every length that float32 has, from 1e-37 to 3e38. A
 * vector of zeros, or of numbers below 1.2e-38, becomes zeros, and its gradient is zero.
 *
 * @param x any shape.
 * @param axis default -1, the last.
 * @returns shaped as `x`; the caller disposes it. Differentiable as often as wanted.
 */
export function l2Normalize<T extends tf.Tensor>(x: T, axis = -1): T {
  if (!(x instanceof tf.Tensor)) throw new TypeError(`l2Normalize: x must be a tensor, got ${describe(x)}`);
  if (x.dtype !== "float32") {
    throw new TypeError(
      `l2Normalize: x must be float32, got ${x.dtype} [${x.shape}]; use tf.cast(x, "float32")`,
    );
  }
  tf.util.parseAxisParam(axis, x.shape);
  return tf.tidy(() => {
    // The result does not depend on the scale, which only keeps squares in range: it is a constant, 1 / 0 for zero vectors.
    const [scale, isZero] = unrecorded(() => {
      const largest = tf.max(tf.abs(x), axis, true);
      const zero = tf.less(largest, smallest);
      return [tf.where(zero, Infinity, largest), tf.cast(zero, "float32")];
    });
    const scaled = tf.div(x, scale!);
    const squared = tf.add(tf.sum(tf.square(scaled), axis, true), isZero!);
    return tf.div(scaled, tf.sqrt(squared)) as T;
  });
}
