import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import type { Distance } from "../distances/distance.js";
import { lpDistance } from "../distances/lp-distance.js";
import { stopGradient } from "../math/stop-gradient.js";
import type { WithoutPositives } from "../pairs/without-positives.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { anchorLosses } from "./anchor-losses.js";

export interface RankedListOptions<R extends Reduction = Reduction> {
  /** Distance between the positives' boundary and the negatives', at least 0. Default 0.4. */
  margin?: number;
  /** The negatives' boundary. Default `1 + margin / 2`. */
  alpha?: number;
  /** Weight of the negatives in [0, 1]; positives have the rest. Default 0.5. */
  imbalance?: number;
  /** Temperature of the weights of positives, at least 0. Default 0. */
  positiveTemperature?: number;
  /** Temperature of the weights of negatives, at least 0. Default 10. */
  negativeTemperature?: number;
  /** Default `lpDistance()`: Euclidean, of normalised rows. */
  distance?: Distance;
  /** Default `"error"`. */
  withoutPositives?: WithoutPositives;
  /** Over the anchors. Default `"mean"`. */
  reduction?: R;
}

/**
 * Ranked list loss (Wang et al. 2019, eq. 8; pytorch-metric-learning's `RankedListLoss`): for each anchor the weighted mean of
 * `d - (alpha - margin)` over positives beyond their boundary, and of `alpha - d` over negatives within theirs, with weights
 * `exp(T (violation))`.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function rankedList<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: RankedListOptions<R> = {},
): Reduced<R> {
  const caller = "rankedList";
  const given = checkOptions<RankedListOptions<R>>(caller, options, {
    margin: true,
    alpha: true,
    imbalance: true,
    positiveTemperature: true,
    negativeTemperature: true,
    distance: "function",
    withoutPositives: true,
    reduction: true,
  });
  const { withoutPositives } = given;
  const { margin = 0.4, imbalance = 0.5, positiveTemperature = 0, negativeTemperature = 10 } = given;
  checkFloat(`${caller}: margin`, margin, { min: 0 });
  const { alpha = 1 + margin / 2, distance = lpDistance(), reduction = "mean" as R } = given;
  checkFloat(`${caller}: alpha`, alpha);
  checkFloat(`${caller}: imbalance`, imbalance, { min: 0, max: 1 });
  checkFloat(`${caller}: positiveTemperature`, positiveTemperature, { min: 0 });
  checkFloat(`${caller}: negativeTemperature`, negativeTemperature, { min: 0 });
  const inputs = { labels, tuples: { withoutPositives }, reduction, measure: { distance } };
  return anchorLosses(caller, embeddings, inputs, ({ matrix, positive, negative }) => {
    const part = (violation: tf.Tensor, mask: tf.Tensor2D, temperature: number) => {
      const counts = (y: tf.Tensor) => tf.logicalAnd(mask, tf.logicalNot(tf.lessEqual(y, 0)));
      const counted = stopGradient(violation, (y) => counts(y));
      // Its value where it counts. NaN counts too: no comparison is true of it, and it would vanish.
      const kept = tf.where(counted, violation, tf.zerosLike(violation));
      const weights = tf.mul(
        tf.exp(tf.mul(kept, temperature)),
        stopGradient(violation, (y) => tf.cast(counts(y), "float32")),
      );
      // The small addend, one for each entry of the row, is the reference implementation's.
      return tf.div(tf.sum(tf.mul(weights, kept), 1), tf.sum(tf.add(weights, 1e-5), 1));
    };
    const together = part(tf.sub(matrix, alpha - margin), positive, positiveTemperature);
    const apart = part(tf.sub(alpha, matrix), negative, negativeTemperature);
    return tf.add(tf.mul(together, 1 - imbalance), tf.mul(apart, imbalance));
  });
}
