import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { maskedLogSumExp } from "../math/masked-log-sum-exp.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { anchorLosses } from "./anchor-losses.js";
import { type LiftedStructureOptions, readLiftedStructure } from "./lifted-structure-options.js";

/**
 * Generalised lifted structure loss (Hermans et al. 2017, eq. 7), for each anchor
 *
 *     max(0, log sum_{p} exp(d_ap - posMargin) + log sum_{n} exp(negMargin - d_an)).
 *
 * An anchor without negatives has 0 in place of the missing logarithm, as in pytorch-metric-learning.
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
  const inputs = { labels, tuples, reduction, measure: { distance } };
  return anchorLosses(caller, embeddings, inputs, ({ matrix, positive, negative }) => {
    const together = maskedLogSumExp(tf.sub(matrix, posMargin), positive);
    const apart = maskedLogSumExp(tf.sub(negMargin, matrix), negative);
    return tf.relu(tf.add(together, apart));
  });
}
