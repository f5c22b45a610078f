import * as tf from "@tensorflow/tfjs-core";

/**
 * The sine of an angle in [0, pi] from its cosine. Its slope is unbounded where the cosine is 1 or -1; the square is kept above 1e-12
 * there, so that gradients stay finite.
 */
function sine(cosine: tf.Tensor): tf.Tensor {
  return tf.sqrt(tf.maximum(tf.sub(1, tf.square(cosine)), 1e-12));
}

/** `cos(theta - margin)` from `cos(theta)`, theta in [0, pi]; the margin is in radians. */
export function cosineOfAngleMinus(cosine: tf.Tensor, margin: number): tf.Tensor {
  return tf.tidy(() => tf.add(tf.mul(cosine, Math.cos(margin)), tf.mul(sine(cosine), Math.sin(margin))));
}

/** `cos(theta + margin)` from `cos(theta)`, theta in [0, pi]; the margin is in radians. */
export function cosineOfAnglePlus(cosine: tf.Tensor, margin: number): tf.Tensor {
  return cosineOfAngleMinus(cosine, -margin);
}
