import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { compare, type Similarity } from "../distances/distance.js";
import { keepWhere, logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { saturate } from "../math/saturate.js";
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

export interface NTXentFromLabelsOptions<R extends Reduction = Reduction> extends TupleLossOptions<R> {
  /** Greater than 0. Default 0.1. */
  temperature?: number;
  /** Default {@link cosineSimilarity}. */
  similarity?: Similarity;
}

/**
 * NT-Xent with labels (pytorch-metric-learning's `NTXentLoss`): for each positive pair (a, p)
 * `-log( exp(s_ap/t) / (exp(s_ap/t) + sum_n exp(s_an/t)) )`, over the negatives of the anchor only; one that several
 * triplets name counts as often. {@link supCon} has the other
 * positives in the denominator too.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[positive pairs]`, or its reduction; the caller disposes it
 */
export function ntXentFromLabels<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: NTXentFromLabelsOptions<R> = {},
): Reduced<R> {
  const caller = "ntXentFromLabels";
  const {
    temperature = 0.1,
    similarity = cosineSimilarity,
    reduction = "mean" as R,
    ...tuples
  } = checkOptions<NTXentFromLabelsOptions<R>>(caller, options, {
    ...tupleOptionNames,
    temperature: true,
    similarity: "function",
  });
  checkFloat(`${caller}: temperature`, temperature, { above: 0 });
  return tf.tidy(() => {
    const inputs = readTuples(caller, embeddings, { labels, ...tuples, needsNegatives: true });
    const similarities = compare(inputs.anchors, inputs.others, { caller, similarity });
    const scores = saturate(tf.div(similarities, temperature) as tf.Tensor2D);
    const { positive, negative } = inputs.pairs();
    // Backends disagree about tensors of no elements.
    const own = entriesAt(scores, positive.anchor, positive.other);
    if (own.size === 0) return reduceTuples(inputs, own, { anchor: positive.anchor, reduction });
    const candidates = tf.gather(scores, tf.tensor1d(positive.anchor, "int32"));
    const { mask, countRepeats } = negativesOfRows(positive.anchor, negative, scores.shape);
    const differences = countRepeats(tf.sub(candidates, tf.expandDims(own, 1)));
    const losses = logOnePlusSumExp(keepWhere(mask, differences));
    return reduceTuples(inputs, losses, { anchor: positive.anchor, reduction });
  }) as Reduced<R>;
}
