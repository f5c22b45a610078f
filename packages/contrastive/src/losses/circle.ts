import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import type { Similarity } from "../distances/distance.js";
import { maskedLogSumExp } from "../math/masked-log-sum-exp.js";
import { saturate } from "../math/saturate.js";
import { stopGradient } from "../math/stop-gradient.js";
import { type TupleLossOptions, tupleOptionNames } from "../pairs/tuple-inputs.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { anchorLosses } from "./anchor-losses.js";

export interface CircleOptions<R extends Reduction = Reduction> extends TupleLossOptions<R> {
  /** The relaxation of the decision boundary, in (0, 1). Default 0.4. */
  m?: number;
  /** The scale of similarities, greater than 0. Default 80. */
  gamma?: number;
  /** Default {@link cosineSimilarity}. */
  similarity?: Similarity;
}

/**
 * Circle loss (Sun et al. 2020, eq. 6), for each anchor with a positive and a negative
 *
 *     softplus( log sum_p exp(-gamma [1 + m - s_p]+ (s_p - 1 + m)) + log sum_n exp(gamma [s_n + m]+ (s_n - m)) ),
 *
 * where the factors in brackets are constants of the gradient. Anchors without a negative cost 0.
 * pytorch-metric-learning's default reduction is {@link averageNonZero}.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function circle<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: CircleOptions<R> = {},
): Reduced<R> {
  const caller = "circle";
  const {
    m = 0.4,
    gamma = 80,
    similarity = cosineSimilarity,
    reduction = "mean" as R,
    ...tuples
  } = checkOptions<CircleOptions<R>>(caller, options, {
    ...tupleOptionNames,
    m: true,
    gamma: true,
    similarity: "function",
  });
  checkFloat(`${caller}: m`, m, { above: 0, below: 1 });
  checkFloat(`${caller}: gamma`, gamma, { above: 0 });
  const inputs = { labels, tuples, reduction, measure: { similarity }, needsNegatives: true };
  return anchorLosses(caller, embeddings, inputs, ({ matrix: s, positive, negative }) => {
    const weighted = (factor: (y: tf.Tensor) => tf.Tensor, from: number) => {
      const weights = stopGradient(s, (y) => saturate(tf.mul(tf.relu(factor(y)), gamma)));
      return saturate(tf.mul(weights, tf.sub(s, from)));
    };
    const together = tf.neg(weighted((y) => tf.sub(1 + m, y), 1 - m));
    const apart = weighted((y) => tf.add(y, m), m);
    const sum = saturate(tf.add(maskedLogSumExp(together, positive), maskedLogSumExp(apart, negative)));
    const both = tf.logicalAnd(tf.any(positive, 1), tf.any(negative, 1));
    return tf.where(both, tf.softplus(sum), tf.zerosLike(sum));
  });
}
