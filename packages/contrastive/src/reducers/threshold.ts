import * as tf from "@tensorflow/tfjs-core";
import { stopGradient } from "../math/stop-gradient.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions, describe } from "../shared/check-options.js";
import type { Reducer } from "./reduce.js";

export interface ThresholdOptions {
  /** Losses must be greater. Default: no bound. */
  low?: number;
  /** Losses must be less. Default: no bound. */
  high?: number;
}

/**
 * Makes a reducer: the mean of the losses between two bounds (pytorch-metric-learning's `ThresholdReducer`), 0 where there is none.
 *
 * @throws when neither bound is given
 */
export function threshold(options: ThresholdOptions): Reducer<tf.Scalar> {
  const { low, high } = checkOptions("threshold", options, { low: true, high: true });
  if (low === undefined && high === undefined)
    throw new Error("threshold: expected low, high or both, got neither");
  if (low !== undefined) checkFloat("threshold: low", low);
  if (high !== undefined) checkFloat("threshold: high", high);
  return (losses) => {
    if (!(losses instanceof tf.Tensor)) {
      throw new TypeError(
        `a reducer takes losses [k], got ${describe(losses)}; averageNonZero is one, and is passed without a call`,
      );
    }
    const kept = stopGradient(losses, (y) => {
      const above = low === undefined ? tf.onesLike(y) : tf.cast(tf.greater(y, low), "float32");
      const below = high === undefined ? tf.onesLike(y) : tf.cast(tf.less(y, high), "float32");
      return tf.mul(above, below);
    });
    return tf.div(tf.sum(tf.mul(losses, kept)), tf.maximum(tf.sum(kept), 1)) as tf.Scalar;
  };
}
