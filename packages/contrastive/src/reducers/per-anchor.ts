import * as tf from "@tensorflow/tfjs-core";
import { segmentSum } from "../shared/segment-sum.js";
import { type Reducer, type ReductionName, reduce } from "./reduce.js";

/**
 * Makes a reducer: the mean of each anchor's losses, then a reduction over the anchors (pytorch-metric-learning's
 * `PerAnchorReducer`), so that anchors with many pairs do not outweigh the others. An anchor without losses counts as 0.
 *
 * @param over how anchors are reduced. Default `"mean"`.
 */
export function perAnchor(over: ReductionName | Reducer = "mean"): Reducer {
  return (losses, { anchor, count, labels }) => {
    const counts = new Float32Array(count);
    for (const row of anchor) counts[row]++;
    const shares = Float32Array.from(anchor, (row) => 1 / counts[row]);
    const weighted = tf.mul(losses, tf.tensor1d(shares));
    const means = segmentSum(weighted, tf.tensor1d(anchor, "int32"), count);
    const own = Int32Array.from({ length: count }, (_, i) => i);
    return reduce(means as tf.Tensor1D, over, { anchor: own, count, labels });
  };
}
