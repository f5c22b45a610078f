import * as tf from "@tensorflow/tfjs-core";

/**
 * `x` less its mean over `axes`, which was rounded to float32: beside a mean that is large for the deviation, the rounding error is
 * not small, so what is left of it is subtracted too.
 */
export function centre(x: tf.Tensor, mean: tf.Tensor, axes: number | number[]): tf.Tensor {
  const nearly = tf.sub(x, mean);
  return tf.sub(nearly, tf.mean(nearly, axes, true));
}

/** Above this the square of a float32 is near its largest. */
const large = 1e15;

/**
 * `1 / sqrt(var + epsilon)` over `axes`, from what `centre` gives. Squares of large numbers are taken of their 2^-70th parts, which do
 * not overflow.
 */
export function reciprocalDeviation(centred: tf.Tensor, epsilon: number, axes: number | number[]): tf.Tensor {
  const isLarge = tf.greater(tf.max(tf.abs(centred), axes, true), large);
  const part = tf.where(isLarge, tf.scalar(2 ** -70), tf.scalar(1));
  const variance = tf.mean(tf.square(tf.mul(centred, part)), axes, true);
  // Beside a large variance, epsilon is nothing.
  return tf.mul(part, tf.rsqrt(tf.add(variance, tf.where(isLarge, tf.scalar(0), tf.scalar(epsilon)))));
}
