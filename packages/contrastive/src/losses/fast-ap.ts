import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { lpDistance } from "../distances/lp-distance.js";
import { stopGradient } from "../math/stop-gradient.js";
import { maskOf, readTuples, reduceAnchors } from "../pairs/tuple-inputs.js";
import type { WithoutPositives } from "../pairs/without-positives.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

export interface FastAPOptions<R extends Reduction = Reduction> {
  /** Bins of the histogram of squared distances in [0, 4], at least 1. Default 10. */
  bins?: number;
  /** Default `"error"`. */
  withoutPositives?: WithoutPositives;
  /** Over the anchors. Default `"mean"`. */
  reduction?: R;
}

/**
 * FastAP (Cakir et al. 2019, eq. 9): one minus the average precision of each anchor's ranking, from soft histograms of the squared
 * Euclidean distances of normalised rows: `1 - 1/N+ sum_j h+_j H+_j / H_j`.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function fastAP<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: FastAPOptions<R> = {},
): Reduced<R> {
  const {
    bins = 10,
    withoutPositives,
    reduction = "mean" as R,
  } = checkOptions<FastAPOptions<R>>("fastAP", options, {
    bins: true,
    withoutPositives: true,
    reduction: true,
  });
  checkNumber("fastAP: bins", bins, { min: 1, integer: true });
  return tf.tidy(() => {
    const inputs = readTuples("fastAP", embeddings, { labels, withoutPositives, needsNegatives: true });
    const x = inputs.anchors;
    const n = x.shape[0];
    const pairs = inputs.pairs();
    const counts = new Float32Array(n);
    for (const row of pairs.positive.anchor) counts[row]++;
    const squares = lpDistance({ power: 2 })(x, x);
    const width = 4 / bins;
    const middles = tf.reshape(tf.linspace(0, 4, bins + 1), [1, 1, -1]);
    // Triangular pulses share each distance between its two nearest bins, [n, n, bins + 1].
    const pulses = tf.relu(tf.sub(1, tf.div(tf.abs(tf.sub(tf.expandDims(squares, 2), middles)), width)));
    const histogram = (mask: tf.Tensor2D) =>
      tf.sum(tf.mul(pulses, tf.expandDims(tf.cast(mask, "float32"), 2)), 1);
    const positive = histogram(maskOf(pairs.positive, [n, n]));
    const negative = histogram(maskOf(pairs.negative, [n, n]));
    const upTo = (h: tf.Tensor) => tf.cumsum(h, 1);
    const [positives, all] = [upTo(positive), upTo(tf.add(positive, negative))];
    const isEmpty = stopGradient(all, (y) => tf.equal(y, 0));
    const precision = tf.div(tf.mul(positive, positives), tf.where(isEmpty, tf.onesLike(all), all));
    const own = tf.tensor1d(counts.map((count) => count || 1));
    return reduceAnchors(inputs, tf.sub(1, tf.div(tf.sum(precision, 1), own)), reduction);
  }) as Reduced<R>;
}
