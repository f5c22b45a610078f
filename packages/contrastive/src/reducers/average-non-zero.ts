import type * as tf from "@tensorflow/tfjs-core";
import type { Reducer } from "./reduce.js";
import { threshold } from "./threshold.js";

/**
 * Mean of the losses that are greater than 0 (pytorch-metric-learning's `AvgNonZeroReducer`, its default for losses with a
 * margin); 0 where there is none.
 */
export const averageNonZero: Reducer<tf.Scalar> = threshold({ low: 0 });
