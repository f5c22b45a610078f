import * as tf from "@tensorflow/tfjs-core";
import { checkScalar, type Labels } from "../check-embeddings.js";
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
import type { Trainable } from "../shared/trainable.js";

export interface MarginOptions<R extends Reduction = Reduction> extends TupleLossOptions<R> {
  /** Half the width of the band between positives and negatives, at least 0. Default 0.2. */
  margin?: number;
  /** The boundary between positives and negatives; a tensor of one value may be trained. Default 1.2. */
  beta?: number | Trainable;
  /** Default `lpDistance()`: Euclidean, of normalised rows. */
  distance?: Distance;
}

/**
 * Margin loss (Wu et al. 2017, eq. 6), for each triplet `max(0, d_ap - beta + margin) + max(0, beta - d_an + margin)`.
 *
 * pytorch-metric-learning divides the sum by the number of its terms that are not zero; {@link averageNonZero} divides by the number
 * of triplets that are not zero.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[triplets]`, or its reduction; the caller disposes it
 */
export function margin<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: MarginOptions<R> = {},
): Reduced<R> {
  const {
    margin: width = 0.2,
    beta = 1.2,
    distance = lpDistance(),
    reduction = "mean" as R,
    ...tuples
  } = checkOptions<MarginOptions<R>>("margin", options, {
    ...tupleOptionNames,
    margin: true,
    beta: true,
    distance: "function",
  });
  checkFloat("margin: margin", width, { min: 0 });
  const givenBeta = checkScalar("margin: beta", beta);
  return tf.tidy(() => {
    const inputs = readTuples("margin", embeddings, { labels, ...tuples, needsNegatives: true });
    const { anchor, positive, negative } = inputs.triplets();
    const matrix = compare(inputs.anchors, inputs.others, { caller: "margin", distance });
    const boundary = typeof givenBeta === "number" ? givenBeta : tf.reshape(givenBeta, []);
    const together = tf.relu(tf.add(tf.sub(entriesAt(matrix, anchor, positive), boundary), width));
    const apart = tf.relu(tf.add(tf.sub(boundary, entriesAt(matrix, anchor, negative)), width));
    return reduceTuples(inputs, tf.add(together, apart), { anchor, reduction });
  }) as Reduced<R>;
}
