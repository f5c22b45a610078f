import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { compare, type Distance } from "../distances/distance.js";
import { lpDistance } from "../distances/lp-distance.js";
import {
  entriesAt,
  readTuples,
  type TupleLossOptions,
  tupleOptionNames,
  withZeros,
} from "../pairs/tuple-inputs.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";

export interface ContrastiveLossOptions<R extends Reduction = Reduction> extends TupleLossOptions<R> {
  /** Distance up to which positive pairs cost nothing. Default 0. */
  posMargin?: number;
  /** Distance from which negative pairs cost nothing. Default 1. */
  negMargin?: number;
  /** Default `lpDistance()`: Euclidean, of normalised rows. */
  distance?: Distance;
}

/**
 * Contrastive loss (Hadsell et al. 2006, without the square; pytorch-metric-learning's `ContrastiveLoss`):
 * `max(0, d - posMargin)` for positive pairs and `max(0, negMargin - d)` for negative ones.
 *
 * The reduction is applied to positive and to negative pairs, and the two results are added; `"none"` gives the losses of positive
 * pairs and then those of negative pairs. pytorch-metric-learning's default reduction is {@link averageNonZero}.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns a scalar, or `[positive pairs + negative pairs]`; the caller disposes it
 * @throws on shapes that do not agree and on unknown options
 */
export function contrastiveLoss<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: ContrastiveLossOptions<R> = {},
): Reduced<R> {
  return pairMarginLoss("contrastiveLoss", embeddings, { labels, options, defaultDistance: lpDistance() });
}

/** The contrastive loss of the function `caller`, with its own default distance. */
export function pairMarginLoss<R extends Reduction>(
  caller: string,
  embeddings: tf.Tensor,
  given: { labels: Labels; options: ContrastiveLossOptions<R>; defaultDistance: Distance },
): Reduced<R> {
  const { labels, options, defaultDistance } = given;
  const {
    posMargin = 0,
    negMargin = 1,
    distance = defaultDistance,
    reduction = "mean" as R,
    ...tuples
  } = checkOptions<ContrastiveLossOptions<R>>(caller, options, {
    ...tupleOptionNames,
    posMargin: true,
    negMargin: true,
    distance: "function",
  });
  checkFloat(`${caller}: posMargin`, posMargin);
  checkFloat(`${caller}: negMargin`, negMargin);
  return tf.tidy(() => {
    const inputs = readTuples(caller, embeddings, { labels, ...tuples });
    const matrix = compare(inputs.anchors, inputs.others, { caller, distance });
    const { positive, negative } = inputs.pairs();
    const far = tf.relu(tf.sub(entriesAt(matrix, positive.anchor, positive.other), posMargin)) as tf.Tensor1D;
    const near = tf.relu(
      tf.sub(negMargin, entriesAt(matrix, negative.anchor, negative.other)),
    ) as tf.Tensor1D;
    const count = inputs.anchors.shape[0];
    const together = withZeros(inputs, far, positive.anchor);
    if (reduction === "none") return tf.concat([together.losses, near]);
    return tf.add(
      reduce(together.losses, reduction, { anchor: together.anchor, count, labels }) as tf.Tensor,
      reduce(near, reduction, { anchor: negative.anchor, count, labels }) as tf.Tensor,
    );
  }) as unknown as Reduced<R>;
}
