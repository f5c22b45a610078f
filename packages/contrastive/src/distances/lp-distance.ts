import * as tf from "@tensorflow/tfjs-core";
import { stopGradient } from "../math/stop-gradient.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";
import { checkWidths, type Distance } from "./distance.js";

export interface LpDistanceOptions {
  /** The order of the norm, at least 1. Default 2, the Euclidean distance. */
  p?: number;
  /** The power that distances are raised to, greater than 0. Default 1. */
  power?: number;
  /** Whether rows are divided by their Euclidean norm first. Default true, as in pytorch-metric-learning. */
  normalize?: boolean;
}

/**
 * Makes a distance by the Lp norm, `||a_i - b_j||_p ^ power` (pytorch-metric-learning's `LpDistance`).
 *
 * The gradient at equal rows is zero. For `p` 2 the distance is computed from the differences, not from dot products, so that small
 * distances are exact: time and memory are `O(n m dim)`.
 *
 * @example
 * const loss = tripletMargin(embeddings, labels, { distance: lpDistance({ power: 2 }) });
 */
export function lpDistance(options: LpDistanceOptions = {}): Distance {
  const {
    p = 2,
    power = 1,
    normalize = true,
  } = checkOptions("lpDistance", options, {
    p: true,
    power: true,
    normalize: "boolean",
  });
  checkNumber("lpDistance: p", p, { min: 1 });
  checkNumber("lpDistance: power", power, { above: 0 });
  return (a, b) =>
    tf.tidy(() => {
      const [x, y] = checkWidths("lpDistance", a, b).map((z) => (normalize ? l2Normalize(z) : z));
      const differences = tf.abs(tf.sub(tf.expandDims(x, 1), tf.expandDims(y, 0)));
      const sums = tf.sum(
        p === 2 ? tf.square(differences) : p === 1 ? differences : tf.pow(differences, p),
        2,
      );
      if (power === p) return sums as tf.Tensor2D;
      // A root has no finite slope at 0; there the distance is 0 and so is its gradient.
      const isZero = stopGradient(sums, (y) => tf.equal(y, 0));
      const roots = tf.pow(tf.where(isZero, tf.onesLike(sums), sums), power / p);
      return tf.where(isZero, tf.zerosLike(sums), roots) as tf.Tensor2D;
    });
}

/** The Euclidean distance of every row of `a [n, dim]` and every row of `b [m, dim]`, `[n, m]`, without normalisation. */
export const euclideanDistance: Distance = lpDistance({ normalize: false });
