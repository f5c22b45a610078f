import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import type { Similarity } from "../distances/distance.js";
import { keepWhere, logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { type TupleLossOptions, tupleOptionNames } from "../pairs/tuple-inputs.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { anchorLosses } from "./anchor-losses.js";

export interface MultiSimilarityOptions<R extends Reduction = Reduction> extends TupleLossOptions<R> {
  /** Weight of positive pairs in the exponent, greater than 0. Default 2. */
  alpha?: number;
  /** Weight of negative pairs in the exponent, greater than 0. Default 50. */
  beta?: number;
  /** The similarity that both are measured from. Default 0.5. */
  base?: number;
  /** Default {@link cosineSimilarity}. */
  similarity?: Similarity;
}

/**
 * Multi-similarity loss (Wang et al. 2019, eq. 15), for each anchor
 *
 *     1/alpha log(1 + sum_p exp(-alpha (s_ap - base))) + 1/beta log(1 + sum_n exp(beta (s_an - base))).
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function multiSimilarity<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: MultiSimilarityOptions<R> = {},
): Reduced<R> {
  const caller = "multiSimilarity";
  const {
    alpha = 2,
    beta = 50,
    base = 0.5,
    similarity = cosineSimilarity,
    reduction = "mean" as R,
    ...tuples
  } = checkOptions<MultiSimilarityOptions<R>>(caller, options, {
    ...tupleOptionNames,
    alpha: true,
    beta: true,
    base: true,
    similarity: "function",
  });
  checkFloat(`${caller}: alpha`, alpha, { above: 0 });
  checkFloat(`${caller}: beta`, beta, { above: 0 });
  checkFloat(`${caller}: base`, base);
  const inputs = { labels, tuples, reduction, measure: { similarity } };
  return anchorLosses(caller, embeddings, inputs, ({ matrix, positive, negative }) => {
    const above = tf.sub(matrix, base);
    const together = logOnePlusSumExp(keepWhere(positive, tf.mul(above, -alpha)));
    const apart = logOnePlusSumExp(keepWhere(negative, tf.mul(above, beta)));
    return tf.add(tf.div(together, alpha), tf.div(apart, beta));
  });
}
