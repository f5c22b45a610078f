import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { compare, type Distance } from "../distances/distance.js";
import { lpDistance } from "../distances/lp-distance.js";
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

export interface TripletLossOptions<R extends Reduction = Reduction> extends TupleLossOptions<R> {
  /** How much further the negative must be, at least 0. Default 0.05. */
  margin?: number;
  /** Default `lpDistance()`: Euclidean, of normalised rows. */
  distance?: Distance;
  /** Take the harder negative of `d(anchor, negative)` and `d(positive, negative)` (Balntas et al. 2016). Default false. */
  swap?: boolean;
  /** `log(1 + exp(violation))` in place of `max(0, violation)` (Hermans et al. 2017, section 2). Default false. */
  smooth?: boolean;
}

/**
 * Triplet loss over all triplets that the labels make, or over given ones (Schroff et al. 2015, section 3.1; pytorch-metric-learning's
 * `TripletMarginLoss`): `max(0, d(a, p) - d(a, n) + margin)`.
 *
 * pytorch-metric-learning's default reduction is {@link averageNonZero}. For rows given as three tensors see {@link tripletMargin}.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns a scalar, or `[triplets]`; the caller disposes it
 * @throws on shapes that do not agree and on unknown options
 *
 * @example
 * const triplets = await batchHard(embeddings, labels);
 * const loss = tripletLoss(embeddings, labels, { triplets, margin: 0.2 });
 */
export function tripletLoss<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: TripletLossOptions<R> = {},
): Reduced<R> {
  const caller = "tripletLoss";
  const {
    margin = 0.05,
    distance = lpDistance(),
    swap = false,
    smooth = false,
    reduction = "mean" as R,
    ...tuples
  } = checkOptions<TripletLossOptions<R>>(caller, options, {
    ...tupleOptionNames,
    margin: true,
    distance: "function",
    swap: "boolean",
    smooth: "boolean",
  });
  checkFloat(`${caller}: margin`, margin, { min: 0 });
  return tf.tidy(() => {
    const inputs = readTuples(caller, embeddings, { labels, ...tuples, needsNegatives: true });
    const { anchors, others } = inputs;
    const { anchor, positive, negative } = inputs.triplets();
    const matrix = compare(anchors, others, { caller, distance });
    let toNegative = entriesAt(matrix, anchor, negative);
    if (swap) {
      const among = inputs.sameRows ? matrix : compare(others, others, { caller, distance });
      toNegative = tf.minimum(toNegative, entriesAt(among, positive, negative)) as tf.Tensor1D;
    }
    const violation = tf.add(tf.sub(entriesAt(matrix, anchor, positive), toNegative), margin);
    const losses = smooth ? tf.softplus(violation) : tf.relu(violation);
    return reduceTuples(inputs, losses, { anchor, reduction });
  }) as Reduced<R>;
}
