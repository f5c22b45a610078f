import * as tf from "@tensorflow/tfjs-core";
import { toFloat } from "../check-embeddings.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

export interface SIGRegOptions {
  /** Points of the quadrature, at least 2. Default 17. */
  knots?: number;
  /** The largest frequency, greater than 0. Default 3. */
  maxFrequency?: number;
  /** Directions that the rows are projected on, `[dim, k]`. Default: 1,024 drawn by `seed`. */
  directions?: tf.Tensor;
  /** Seed of the directions; take another at each step. Default 0. */
  seed?: number;
}

export interface LeJEPAOptions extends SIGRegOptions {
  /** Weight of {@link sigReg} in [0, 1]; the invariance term has the rest. Default 0.05. */
  lambda?: number;
}

const sigRegNames = { knots: true, maxFrequency: true, directions: true, seed: true } as const;

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
  checkNumber("sigReg: maxFrequency", maxFrequency, { above: 0 });
  if ((rows?.rank !== 2 && rows?.rank !== 3) || rows.size === 0) {
    throw new Error(`sigReg: rows must be [n, dim] or [views, n, dim], got [${rows?.shape}]`);
  }
  const dim = rows.shape[rows.rank - 1]!;
  if (directions && (directions.rank !== 2 || directions.shape[0] !== dim)) {
    throw new Error(`sigReg: directions must be [${dim}, k], got [${directions.shape}]`);
  }
  return tf.tidy(() => {
    const x = toFloat("sigReg: rows", rows);
    const n = x.shape[x.rank - 2]!;
    const drawn = directions ?? tf.randomNormal([dim, 1024], 0, 1, "float32", seed);
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

/**
 * LeJEPA (Balestriero and LeCun 2025, eq. 7): all views are drawn to the mean of the global ones, and {@link sigReg} keeps the rows of
 * each view normally distributed, `lambda sigReg + (1 - lambda) mean squared distance`.
 *
 * @param views `global` `[views, n, dim]` and `local` `[views, n, dim]`
 * @returns a scalar; the caller disposes it
 */
export function leJEPA(
  views: { global: tf.Tensor; local: tf.Tensor },
  options: LeJEPAOptions = {},
): tf.Scalar {
  const given = checkOptions("leJEPA", views, { global: true, local: true });
  const { lambda = 0.05, ...regularizer } = checkOptions<LeJEPAOptions>("leJEPA", options, {
    lambda: true,
    ...sigRegNames,
  });
  checkNumber("leJEPA: lambda", lambda, { min: 0, max: 1 });
  const [globalShape, localShape] = [given.global?.shape ?? [], given.local?.shape ?? []];
  if (
    globalShape.length !== 3 ||
    localShape.length !== 3 ||
    String(globalShape.slice(1)) !== String(localShape.slice(1))
  ) {
    throw new Error(
      `leJEPA: expected global and local views [views, n, dim] of one n and dim, got [${globalShape}] and [${localShape}]`,
    );
  }
  return tf.tidy(() => {
    const global = toFloat("leJEPA: global", given.global);
    const all = tf.concat([global, toFloat("leJEPA: local", given.local)]);
    const invariance = tf.mean(tf.square(tf.sub(all, tf.mean(global, 0, true))));
    return tf.add(tf.mul(sigReg(all, regularizer), lambda), tf.mul(invariance, 1 - lambda)) as tf.Scalar;
  });
}
