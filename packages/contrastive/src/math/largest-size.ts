import * as tf from "@tensorflow/tfjs-core";

/**
 * The largest absolute value over axes, which are kept, or 1 where all are 0. Divided by it, the squares of entries of 1e20 and 1e-23 are
 * float32 numbers.
 *
 * @returns broadcasts with `x`; the caller disposes it
 */
export function largestSize(x: tf.Tensor, axes: number | number[]): tf.Tensor {
  return tf.tidy(() => {
    const largest = tf.max(tf.abs(x), axes, true);
    return tf.where(tf.equal(largest, 0), tf.onesLike(largest), largest);
  });
}
