import * as tf from "@tensorflow/tfjs-core";
import { checkFloat } from "../shared/check-float.js";
import { describe } from "../shared/check-options.js";
import type { Reducer } from "./reduce.js";

/**
 * Makes a reducer: the mean of the losses, each times the weight of its anchor, such as the trust in a sample.
 *
 * @param weights of the rows, each at least 0
 * @throws when the loss has another number of rows
 *
 * @example
 * const loss = tripletLoss(embeddings, labels, { reduction: sampleWeighted([1, 0.5, 1, 0]) });
 */
export function sampleWeighted(weights: ArrayLike<number>): Reducer<tf.Scalar> {
  if (!(weights?.length > 0)) {
    throw new TypeError(
      `sampleWeighted: weights must be a list of a number for each row, got ${describe(weights)}`,
    );
  }
  for (let i = 0; i < weights.length; i++)
    checkFloat(`sampleWeighted: weights[${i}]`, weights[i], { min: 0 });
  return (losses, { anchor, count }) => {
    if (weights.length !== count) {
      throw new Error(
        `sampleWeighted: weights must hold ${count} numbers, one for each row of the loss, got ${weights.length}`,
      );
    }
    return weightedMean(
      losses,
      Float32Array.from(anchor, (row) => weights[row]),
    );
  };
}

/** The mean of losses, each times its weight; 0 where there are none. */
export function weightedMean(losses: tf.Tensor1D, weights: Float32Array): tf.Scalar {
  if (weights.length === 0) return tf.sum(losses) as tf.Scalar;
  return tf.mean(tf.mul(losses, tf.tensor1d(weights))) as tf.Scalar;
}
