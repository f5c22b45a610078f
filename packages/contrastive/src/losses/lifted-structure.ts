import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { compare } from "../distances/distance.js";
import { maskedLogSumExp } from "../math/masked-log-sum-exp.js";
import { saturate } from "../math/saturate.js";
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
    const matrix = compare(`${caller}: distance`, distance, inputs.anchors, inputs.others);
    const { positive, negative } = inputs.pairs();
    const [count, negatives] = [positive.anchor.length, negative.anchor.length];
    const related = new Uint8Array(count * negatives);
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < negatives; k++) {
        const row = negative.anchor[k];
        if (row === positive.anchor[i] || row === positive.other[i]) related[i * negatives + k] = 1;
      }
    }
    const apart = tf.sub(negMargin, entriesAt(matrix, negative.anchor, negative.other));
    // Backends disagree about tensors of no elements.
    const sums =
      related.length === 0
        ? tf.zeros([count])
        : maskedLogSumExp(
            tf.tile(tf.expandDims(apart, 0), [count, 1]),
            tf.tensor2d(related, [count, negatives], "bool"),
          );
    const together = tf.sub(entriesAt(matrix, positive.anchor, positive.other), posMargin);
    const losses = saturate(tf.mul(tf.square(tf.relu(tf.add(sums, together))), 0.5));
    return reduceTuples(inputs, losses, { anchor: positive.anchor, reduction });
  }) as Reduced<R>;
}
