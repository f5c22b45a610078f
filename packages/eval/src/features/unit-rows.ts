import * as tf from "@tensorflow/tfjs-core";

/**
 * Rows of length 1, whatever their length was: each is divided by its largest magnitude first, so that no square over- or
 * underflows. A zero row stays zero.
 *
 * @param x `[n, dim]`, finite. @returns `[n, dim]`; the caller disposes it
 */
export function unitRows(x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const orOne = (size: tf.Tensor) => tf.where(tf.greater(size, 0), size, tf.onesLike(size));
    const scaled = tf.div(x, orOne(tf.max(tf.abs(x), 1, true)));
    return tf.div(scaled, orOne(tf.sqrt(tf.sum(tf.square(scaled), 1, true)))) as tf.Tensor2D;
  });
}
