import * as tf from "@tensorflow/tfjs-core";

/**
 * `x` less its mean over `axes`, which was rounded to float32: beside a mean that is large for the deviation, the rounding error is
 * not small, so what is left of it is subtracted too.
 */
export function centre(x: tf.Tensor, mean: tf.Tensor, axes: number | number[]): tf.Tensor {
  const nearly = tf.sub(x, mean);
  return tf.sub(nearly, tf.mean(nearly, axes, true));
}
