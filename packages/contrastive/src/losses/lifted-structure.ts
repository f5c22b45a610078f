import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { compare } from "../distances/distance.js";
import { maskedLogSumExp } from "../math/masked-log-sum-exp.js";
import { saturate } from "../math/saturate.js";
import { negativesOfRows } from "../pairs/negatives-of-rows.js";
import { entriesAt, readTuples, reduceTuples } from "../pairs/tuple-inputs.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { type LiftedStructureOptions, readLiftedStructure } from "./lifted-structure-options.js";

/**
 * Lifted structure loss (Oh Song et al. 2016, eq. 4; pytorch-metric-learning's `LiftedStructureLoss`), for each positive pair (i, j)
 *
 *     1/2 max(0, log( sum_{k in N(i) or N(j)} exp(negMargin - d_k) ) + d_ij - posMargin)^2,
 *
 * where the sum is over the negative pairs whose anchor is i or j.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[positive pairs]`, or its reduction; the caller disposes it
 */
export function liftedStructure<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: LiftedStructureOptions<R> = {},
): Reduced<R> {
  const caller = "liftedStructure";
  const { negMargin, posMargin, distance, reduction, tuples } = readLiftedStructure(caller, options);
  return tf.tidy(() => {
    const inputs = readTuples(caller, embeddings, { labels, ...tuples });
    const matrix = compare(inputs.anchors, inputs.others, { caller, distance });
    const { positive, negative } = inputs.pairs();
    const [n] = matrix.shape;
    // Backends disagree about tensors of no elements.
    const toPositive = entriesAt(matrix, positive.anchor, positive.other);
    if (positive.anchor.length === 0) {
      return reduceTuples(inputs, toPositive, { anchor: positive.anchor, reduction });
    }
    // The negatives of i, and beside them those of j.
    const partners = positive.other.map((row, i) => (row < n && row !== positive.anchor[i] ? row : -1));
    const apart = tf.sub(negMargin, matrix);
    const sides = [positive.anchor, partners].map((rows) => {
      const { mask, countRepeats } = negativesOfRows(rows, negative, matrix.shape);
      const own = tf.tensor1d(
        rows.map((row) => Math.max(row, 0)),
        "int32",
      );
      return { mask, scores: countRepeats(tf.gather(apart, own)) };
    });
    const sums = maskedLogSumExp(
      tf.concat(
        sides.map(({ scores }) => scores),
        1,
      ),
      tf.concat(
        sides.map(({ mask }) => mask),
        1,
      ),
    );
    const together = tf.sub(toPositive, posMargin);
    const losses = saturate(tf.mul(tf.square(tf.relu(tf.add(sums, together))), 0.5));
    return reduceTuples(inputs, losses, { anchor: positive.anchor, reduction });
  }) as Reduced<R>;
}
