import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings, toFloat } from "../check-embeddings.js";
import { seededNormal } from "../math/seeded-normal.js";
import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

export interface SIGRegOptions {
  /** Points of the quadrature, at least 2. Default 17. */
  knots?: number;
  /** The largest frequency, greater than 0. Default 3. */
  maxFrequency?: number;
  /** Directions that the rows are projected on, `[dim, k]`. Default: 1,024 drawn by `seed`. */
  directions?: tf.Tensor;
  /** Seed of the directions, an integer of at least 0; take another at each step. Default 0. */
  seed?: number;
}

export const sigRegNames = { knots: true, maxFrequency: true, directions: true, seed: true } as const;

/**
 * Sketched isotropic Gaussian regularisation (Balestriero and LeCun 2025, section 4): the Epps-Pulley statistic of the rows' projections
 * on random directions, which is 0 for a standard normal distribution.
 *
 * @param rows `[n, dim]`, or `[views, n, dim]` for each view by itself
 * @returns a scalar, the mean over directions and views; the caller disposes it
 */
export function sigReg(rows: tf.Tensor, options: SIGRegOptions = {}): tf.Scalar {
  const {
    knots = 17,
    maxFrequency = 3,
    directions,
    seed = 0,
  } = checkOptions<SIGRegOptions>("sigReg", options, sigRegNames);
  checkNumber("sigReg: knots", knots, { min: 2, integer: true });
  checkFloat("sigReg: maxFrequency", maxFrequency, { above: 0 });
  checkNumber("sigReg: seed", seed, { min: 0, integer: true });
  if ((rows?.rank !== 2 && rows?.rank !== 3) || rows.size === 0) {
    throw new Error(`sigReg: rows must be [n, dim] or [views, n, dim], got [${rows?.shape}]`);
  }
  const dim = rows.shape[rows.rank - 1]!;
  return tf.tidy(() => {
    const given = directions === undefined ? undefined : checkEmbeddings("sigReg: directions", directions);
    if (given && given.shape[0] !== dim) {
      throw new Error(`sigReg: directions must be [${dim}, k], got [${given.shape}]`);
    }
    const x = toFloat("sigReg: rows", rows);
    const n = x.shape[x.rank - 2]!;
    const drawn = given ?? seededNormal([dim, 1024], seed);
    const unit = tf.div(drawn, tf.sqrt(tf.sum(tf.square(drawn), 0, true)));
    const flat = tf.reshape(x, [-1, dim]);
    const projected = tf.reshape(tf.matMul(flat, unit as tf.Tensor2D), [-1, n, unit.shape[1]!]);
    const step = maxFrequency / (knots - 1);
    // One frequency at a time: all at once would take knots times the memory.
    const terms = Array.from({ length: knots }, (_, k) => {
      const frequency = k * step;
      const gaussian = Math.exp(-(frequency ** 2) / 2);
      const weight = (k === 0 || k === knots - 1 ? 1 : 2) * step * gaussian;
      const angles = tf.mul(projected, frequency);
      const cosine = tf.sub(tf.mean(tf.cos(angles), 1), gaussian);
      const sine = tf.mean(tf.sin(angles), 1);
      return tf.mul(tf.add(tf.square(cosine), tf.square(sine)), weight);
    });
    return tf.mul(tf.mean(tf.addN(terms)), n) as tf.Scalar;
  });
}
