import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { compare } from "../distances/distance.js";
import { maskedLogSumExp } from "../math/masked-log-sum-exp.js";
import { maskOf, readTuples } from "../pairs/tuple-inputs.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { type LiftedStructureOptions, readLiftedStructure } from "./lifted-structure-options.js";

/**
 * Generalised lifted structure loss (Hermans et al. 2017, eq. 7), for each anchor
 *
 *     max(0, log sum_{p} exp(d_ap - posMargin) + log sum_{n} exp(negMargin - d_an)).
 *
 * An anchor without positives or without negatives has 0 in place of the missing logarithm, as in pytorch-metric-learning.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function generalizedLiftedStructure<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: LiftedStructureOptions<R> = {},
): Reduced<R> {
  const caller = "generalizedLiftedStructure";
  const { negMargin, posMargin, distance, reduction, tuples } = readLiftedStructure(caller, options);
  return tf.tidy(() => {
    const inputs = readTuples(caller, embeddings, { labels, ...tuples });
    const matrix = compare(`${caller}: distance`, distance, inputs.anchors, inputs.others);
    const { positive, negative } = inputs.pairs();
    const together = maskedLogSumExp(tf.sub(matrix, posMargin), maskOf(positive, matrix.shape));
    const apart = maskedLogSumExp(tf.sub(negMargin, matrix), maskOf(negative, matrix.shape));
    const losses = tf.relu(tf.add(together, apart)) as tf.Tensor1D;
    const n = inputs.anchors.shape[0];
    return reduce(losses, reduction, {
      anchor: Int32Array.from({ length: n }, (_, i) => i),
      count: n,
      labels,
    });
  }) as Reduced<R>;
}
