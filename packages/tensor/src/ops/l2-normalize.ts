import * as tf from "@tensorflow/tfjs-core";

/**
 * Divides by the Euclidean norm along `axis`: `x / sqrt(max(sum x^2, epsilon))`.
 *
 * @param x any shape. @param epsilon bounds the squared norm from below, so that zero stays zero. Default 1e-12.
 */
export function l2Normalize<T extends tf.Tensor>(x: T, axis = -1, epsilon = 1e-12): T {
  return tf.tidy(() => tf.mul(x, tf.rsqrt(tf.maximum(tf.sum(tf.square(x), axis, true), epsilon))) as T);
}
