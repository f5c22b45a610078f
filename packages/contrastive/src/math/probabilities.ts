import * as tf from "@tensorflow/tfjs-core";
import { saturate } from "./saturate.js";

/** The softmax of `x / temperature` over the last axis, where the quotient may be beyond float32. */
export function probabilities(x: tf.Tensor, temperature: number): tf.Tensor {
  return tf.tidy(() => tf.softmax(saturate(tf.div(x, temperature))));
}

/**
 * The logarithm of {@link probabilities}. One that is beyond float32 is the least float32: times a probability of 0 it is 0, where -Infinity
 * gives NaN.
 */
export function logProbabilities(x: tf.Tensor, temperature: number): tf.Tensor {
  return tf.tidy(() => saturate(tf.logSoftmax(saturate(tf.div(x, temperature)))));
}
