import type * as tf from "@tensorflow/tfjs-core";
import { checkFloat } from "../shared/check-float.js";
import { checkNumber, describe } from "../shared/check-options.js";
import type { Reducer } from "./reduce.js";
import { weightedMean } from "./sample-weighted.js";

/**
 * Makes a reducer: the mean of the losses, each times the weight of its anchor's class (pytorch-metric-learning's
 * `ClassWeightedReducer`).
 *
 * @param weights by class number, each at least 0
 * @throws when the loss knows no labels, or a label is no class of `weights`
 */
export function classWeighted(weights: ArrayLike<number>): Reducer<tf.Scalar> {
  if (!(weights?.length > 0)) {
    throw new TypeError(
      `classWeighted: weights must be a list of a number for each class, got ${describe(weights)}`,
    );
  }
  for (let i = 0; i < weights.length; i++) checkFloat(`classWeighted: weights[${i}]`, weights[i], { min: 0 });
  return (losses, { anchor, labels }) => {
    if (!labels) throw new Error("classWeighted: this loss has no labels to weight by");
    const own = Float32Array.from(anchor, (row) => {
      const label = checkNumber(`classWeighted: label of row ${row}`, labels[row], {
        min: 0,
        max: weights.length - 1,
        integer: true,
      });
      return weights[label];
    });
    return weightedMean(losses, own);
  };
}
