import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { compare, type Distance } from "../distances/distance.js";
import { lpDistance } from "../distances/lp-distance.js";
import { maskedLogSumExp } from "../math/masked-log-sum-exp.js";
import {
  entriesAt,
  maskOf,
  readTuples,
  type TupleLossOptions,
  tupleOptionNames,
} from "../pairs/tuple-inputs.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

export interface LiftedStructureOptions<R extends Reduction = Reduction> extends TupleLossOptions<R> {
  /** Default 1. */
  negMargin?: number;
  /** Default 0. */
  posMargin?: number;
  /** Default `lpDistance()`: Euclidean, of normalised rows. */
  distance?: Distance;
}

const names = { ...tupleOptionNames, negMargin: true, posMargin: true, distance: true } as const;

function read<R extends Reduction>(caller: string, options: LiftedStructureOptions<R>) {
  const {
    negMargin = 1,
    posMargin = 0,
    distance = lpDistance(),
    reduction = "mean" as R,
    ...tuples
  } = checkOptions<LiftedStructureOptions<R>>(caller, options, names);
  checkNumber(`${caller}: negMargin`, negMargin);
  checkNumber(`${caller}: posMargin`, posMargin);
  return { negMargin, posMargin, distance, reduction, tuples };
}

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
  const { negMargin, posMargin, distance, reduction, tuples } = read(caller, options);
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
    const context = { anchor: positive.anchor, count: inputs.anchors.shape[0], labels };
    const apart = tf.sub(negMargin, entriesAt(matrix, negative.anchor, negative.other));
    const sums = maskedLogSumExp(
      tf.tile(tf.expandDims(apart, 0), [count, 1]),
      tf.tensor2d(related, [count, negatives], "bool"),
    );
    const together = tf.sub(entriesAt(matrix, positive.anchor, positive.other), posMargin);
    const losses = tf.mul(tf.square(tf.relu(tf.add(sums, together))), 0.5) as tf.Tensor1D;
    return reduce(losses, reduction, context);
  }) as Reduced<R>;
}

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
  const { negMargin, posMargin, distance, reduction, tuples } = read(caller, options);
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
