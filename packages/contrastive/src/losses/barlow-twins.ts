import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkSameShape } from "../check-embeddings.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";

export interface BarlowTwinsOptions {
  /** Weight of the off-diagonal terms, at least 0. Default 5e-3. */
  lambda?: number;
  /** Added to variances, greater than 0. Default 1e-5. */
  epsilon?: number;
}

/**
 * Barlow Twins (Zbontar et al. 2021, eq. 1): the cross-correlation matrix of the views' normalised dimensions is drawn to the identity,
 * `sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2`.
 *
 * @param viewA `[n, dim]`, n >= 2. @param viewB `[n, dim]`; row i is of the same image.
 * @returns a scalar: the loss is one of the batch. The caller disposes it.
 */
export function barlowTwins(viewA: tf.Tensor, viewB: tf.Tensor, options: BarlowTwinsOptions = {}): tf.Scalar {
  const { lambda = 5e-3, epsilon = 1e-5 } = checkOptions<BarlowTwinsOptions>("barlowTwins", options, {
    lambda: true,
    epsilon: true,
  });
  checkFloat("barlowTwins: lambda", lambda, { min: 0 });
  checkFloat("barlowTwins: epsilon", epsilon, { above: 0 });
  return tf.tidy(() => {
    const rows = checkSameShape("barlowTwins", { viewA, viewB });
    const [n, dim] = rows.viewA.shape;
    checkBatch("barlowTwins", n);
    const [a, b] = [rows.viewA, rows.viewB].map((x) => {
      const centered = tf.sub(x, tf.mean(x, 0, true));
      return tf.mul(centered, tf.rsqrt(tf.add(tf.mean(tf.square(centered), 0, true), epsilon)));
    });
    const correlation = tf.div(tf.matMul(a, b, true), n);
    const eye = tf.eye(dim);
    const weights = tf.add(eye, tf.mul(tf.sub(1, eye), lambda));
    return tf.sum(tf.mul(tf.square(tf.sub(correlation, eye)), weights)) as tf.Scalar;
  });
}
