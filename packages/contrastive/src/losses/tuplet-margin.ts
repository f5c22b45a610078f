import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { keepWhere, logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { negativesOfRows } from "../pairs/negatives-of-rows.js";
import {
  entriesAt,
  readTuples,
  reduceTuples,
  type TupleLossOptions,
  tupleOptionNames,
} from "../pairs/tuple-inputs.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { cosineOfAngleMinus } from "./angular-margin.js";

export interface TupletMarginOptions<R extends Reduction = Reduction> extends TupleLossOptions<R> {
  /** The angle that positives are drawn closer by, in degrees, in [0, 180]. Default 5.73. */
  margin?: number;
  /** Factor of the cosines, greater than 0. Default 64. */
  scale?: number;
}

/**
 * Tuplet margin loss (Yu and Tao 2019, eq. 7), for each positive pair
 * `log(1 + sum_n exp(scale (cos(theta_an) - cos(theta_ap - margin))))`.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[positive pairs]`, or its reduction; the caller disposes it
 */
export function tupletMargin<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: TupletMarginOptions<R> = {},
): Reduced<R> {
  const caller = "tupletMargin";
  const {
    margin = 5.73,
    scale = 64,
    reduction = "mean" as R,
    ...tuples
  } = checkOptions<TupletMarginOptions<R>>(caller, options, {
    ...tupleOptionNames,
    margin: true,
    scale: true,
  });
  checkFloat(`${caller}: margin`, margin, { min: 0, max: 180 });
  checkFloat(`${caller}: scale`, scale, { above: 0 });
  return tf.tidy(() => {
    const inputs = readTuples(caller, embeddings, { labels, ...tuples, needsNegatives: true });
    const matrix = cosineSimilarity(inputs.anchors, inputs.others);
    const { positive, negative } = inputs.pairs();
    const rows = tf.tensor1d(positive.anchor, "int32");
    // Backends disagree about tensors of no elements.
    const toPositive = entriesAt(matrix, positive.anchor, positive.other);
    if (rows.size === 0) return reduceTuples(inputs, toPositive, { anchor: positive.anchor, reduction });
    const closer = cosineOfAngleMinus(toPositive, (margin * Math.PI) / 180);
    const { mask, countRepeats } = negativesOfRows(positive.anchor, negative, matrix.shape);
    const differences = tf.mul(tf.sub(tf.gather(matrix, rows), tf.expandDims(closer, 1)), scale);
    const losses = logOnePlusSumExp(keepWhere(mask, countRepeats(differences)));
    return reduceTuples(inputs, losses, { anchor: positive.anchor, reduction });
  }) as Reduced<R>;
}
