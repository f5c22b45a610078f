import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";

/** N(0, 1) of a shape that is known when the test runs; the caller says its rank. */
export function normalTensor<R extends tf.Rank>(seed: number, shape: number[]): tf.Tensor<R> {
  const drawn: tf.Tensor = tf.tensor(normalArray(seed, tf.util.sizeFromShape(shape)), shape);
  return drawn as tf.Tensor<R>;
}
