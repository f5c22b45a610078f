import * as tf from "@tensorflow/tfjs-core";

/**
 * N(0, 1) of a shape, the same for the same seed.
 *
 * @param seed an integer of at least 0; tfjs takes a seed of 0 for none
 */
export function seededNormal<R extends tf.Rank>(shape: tf.ShapeMap[R], seed: number): tf.Tensor<R> {
  return tf.randomNormal(shape, 0, 1, "float32", seed + 1);
}
