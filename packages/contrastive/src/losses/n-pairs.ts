import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings, checkLabels, type Labels } from "../check-embeddings.js";
import { compare, type Similarity } from "../distances/distance.js";
import { dotSimilarity } from "../distances/dot-similarity.js";
import { logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { withZeros } from "../pairs/tuple-inputs.js";
import { anchorsWithoutPositives, type WithoutPositives } from "../pairs/without-positives.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { differencesToOthers } from "./score-differences.js";

export interface NPairsOptions<R extends Reduction = Reduction> {
  /** Compares anchors with positives. Default {@link dotSimilarity}, the paper's dot product. pytorch-metric-learning normalises the rows first. */
  similarity?: Similarity;
  /** Weight of `|a|^2 + |p|^2`, which is added to the loss of each pair, at least 0 (Sohn 2016, section 3.2.2). Default 0. */
  l2Regularization?: number;
  /** The rule for a class with one row. Default `"error"`. */
  withoutPositives?: WithoutPositives;
  /** Over the pairs. Default `"mean"`. */
  reduction?: R;
}

/**
 * N-pairs loss (Sohn 2016, eq. 9): one pair of each class, `log(1 + sum_{j != i} exp(a_i . p_j - a_i . p_i))`.
 *
 * The pair of a class is its first row and its second.
 *
 * @param embeddings `[n, dim]`. @param labels `n`, with at least two classes of two rows or more.
 * @returns `[classes]`, in the order of the smallest label first, or its reduction; the caller disposes it
 * @throws when fewer than two classes have a pair, and when a class has one row, unless `withoutPositives` says otherwise
 */
export function nPairs<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: NPairsOptions<R> = {},
): Reduced<R> {
  const {
    similarity = dotSimilarity,
    l2Regularization = 0,
    withoutPositives,
    reduction = "mean" as R,
  } = checkOptions<NPairsOptions<R>>("nPairs", options, {
    similarity: "function",
    l2Regularization: true,
    withoutPositives: true,
    reduction: true,
  });
  checkFloat("nPairs: l2Regularization", l2Regularization, { min: 0 });
  return tf.tidy(() => {
    const x = checkEmbeddings("nPairs: embeddings", embeddings);
    checkLabels("nPairs: labels", labels, x.shape[0]);
    const { anchor, positive, counts } = onePairOfEachClass(labels);
    const lonely = anchorsWithoutPositives("nPairs", counts, withoutPositives);
    if (anchor.length < 2) {
      throw new Error(`nPairs: expected at least two classes of two rows or more, got ${anchor.length}`);
    }
    const rows = (indices: Int32Array) => tf.gather(x, tf.tensor1d(indices, "int32")) as tf.Tensor2D;
    const [a, p] = [rows(anchor), rows(positive)];
    const scores = compare(a, p, { caller: "nPairs", similarity });
    let losses = logOnePlusSumExp(differencesToOthers(scores));
    if (l2Regularization > 0) {
      const lengths = tf.add(tf.sum(tf.square(a), 1), tf.sum(tf.square(p), 1));
      losses = tf.add(losses, tf.mul(lengths, l2Regularization));
    }
    const all = withZeros(
      { lonely, lonelyCount: withoutPositives === "zero" },
      losses as tf.Tensor1D,
      anchor,
    );
    // One loss a class: the rows that are no anchor have none, and are not averaged.
    const own = Array.from(all.anchor, (row) => labels[row]);
    return reduce(all.losses, reduction, { labels: own, count: own.length });
  }) as Reduced<R>;
}

function onePairOfEachClass(labels: Labels) {
  const rows = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) rows.set(labels[i], [...(rows.get(labels[i]) ?? []), i]);
  const pairs = [...rows.entries()].filter(([, list]) => list.length > 1).sort(([a], [b]) => a - b);
  return {
    anchor: Int32Array.from(pairs, ([, list]) => list[0]),
    positive: Int32Array.from(pairs, ([, list]) => list[1]),
    /** The other rows of each row's class. */
    counts: Array.from(labels, (label) => rows.get(label)!.length - 1),
  };
}
