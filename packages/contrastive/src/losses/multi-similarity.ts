import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { compare, type Similarity } from "../distances/distance.js";
import { keepWhere, logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { maskOf, readTuples, type TupleLossOptions, tupleOptionNames } from "../pairs/tuple-inputs.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

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
  checkNumber(`${caller}: alpha`, alpha, { above: 0 });
  checkNumber(`${caller}: beta`, beta, { above: 0 });
  checkNumber(`${caller}: base`, base);
  return tf.tidy(() => {
    const inputs = readTuples(caller, embeddings, { labels, ...tuples });
    const matrix = compare(`${caller}: similarity`, similarity, inputs.anchors, inputs.others);
    const { positive, negative } = inputs.pairs();
    const above = tf.sub(matrix, base);
    const together = logOnePlusSumExp(keepWhere(maskOf(positive, matrix.shape), tf.mul(above, -alpha)));
    const apart = logOnePlusSumExp(keepWhere(maskOf(negative, matrix.shape), tf.mul(above, beta)));
    const losses = tf.add(tf.div(together, alpha), tf.div(apart, beta)) as tf.Tensor1D;
    const n = inputs.anchors.shape[0];
    return reduce(losses, reduction, {
      anchor: Int32Array.from({ length: n }, (_, i) => i),
      count: n,
      labels,
    });
  }) as Reduced<R>;
}
