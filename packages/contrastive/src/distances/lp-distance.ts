import * as tf from "@tensorflow/tfjs-core";
import { inBlocks, mostDifferences, rowsThatFit } from "../blocks/in-blocks.js";
import { lpNorm } from "../math/lp-norm.js";
import { saturate } from "../math/saturate.js";
import { stopGradient } from "../math/stop-gradient.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";
import { checkWidths, type Distance, markKind } from "./distance.js";
import { canReadTensors, euclideanByProducts } from "./euclidean-by-products.js";

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
 * The gradient at equal rows is zero, in time `O(n m dim)`. On the processor, `p` 2 is computed by a matrix product, and for near rows, of
 * which that would lose digits, from the differences, as everything else is. Differences are in memory for a few rows at a time where there
 * are more than 8 million, and are then computed again in the backward pass.
 *
 * Distances of any length that float32 has are right, up to 3e38; a power beyond that is the largest float32.
 *
 * @example
 * const loss = tripletLoss(embeddings, labels, { distance: lpDistance({ power: 2 }) });
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
  checkFloat("lpDistance: p", p, { min: 1 });
  checkFloat("lpDistance: power", power, { above: 0 });
  return markKind(distance, "distance");

  function distance(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const [x, y] = checkWidths("lpDistance", a, b).map((z) => (normalize ? l2Normalize(z) : z));
      if (p !== 2 || !canReadTensors()) return byDifferences(x, y) as tf.Tensor2D;
      // Products take the memory of the result, a few times.
      const blockSize = Math.max(1, Math.floor(mostDifferences / y.shape[0]));
      return inBlocks(
        { rows: [x], whole: [y], blockSize },
        ([part], [all]) =>
          euclideanByProducts(part, all, { ofDifferences, ofSquares, mostDifferences }) ??
          byDifferences(part, all),
      ) as tf.Tensor2D;
    });
  }

  function byDifferences(x: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor {
    return inBlocks({ rows: [x], whole: [y], blockSize: rowsThatFit(x, y) }, ([part], [all]) =>
      ofDifferences(tf.sub(tf.expandDims(part, 1), tf.expandDims(all, 0))),
    );
  }

  function ofDifferences(differences: tf.Tensor): tf.Tensor {
    // The square of a distance has a gradient at 0 without more ado.
    if (p === 2 && power === 2) return saturate(tf.sum(tf.square(differences), -1));
    const norms = lpNorm(differences, p);
    if (power === 1) return norms;
    const isZero = stopGradient(norms, (z) => tf.equal(z, 0));
    const powers = tf.pow(tf.where(isZero, tf.onesLike(norms), norms), power);
    return tf.where(isZero, tf.zerosLike(norms), saturate(powers));
  }

  function ofSquares(squares: tf.Tensor): tf.Tensor {
    if (power === 2) return squares;
    return power === 1 ? tf.sqrt(squares) : saturate(tf.pow(squares, power / 2));
  }
}

/** The Euclidean distance of every row of `a [n, dim]` and every row of `b [m, dim]`, `[n, m]`, without normalisation. */
export const euclideanDistance: Distance = lpDistance({ normalize: false });
