import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkSameShape } from "../check-embeddings.js";
import { dotProducts } from "../math/saturated-products.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";

export interface VICRegOptions {
  /** Weight of the mean squared difference of the views, at least 0. Default 25. */
  invarianceWeight?: number;
  /** Weight of the variance term, at least 0. Default 25. */
  varianceWeight?: number;
  /** Weight of the covariance term, at least 0. Default 1. */
  covarianceWeight?: number;
  /** Added to variances under the root, greater than 0. Default 1e-4. */
  epsilon?: number;
}

/**
 * VICReg (Bardes et al. 2022, eq. 6): mean squared difference of the views, a hinge that keeps each dimension's standard deviation above
 * 1 (mean of both views), and the squared off-diagonal covariances over the dimensions (sum of both views).
 *
 * @param viewA `[n, dim]`, n >= 2. @param viewB `[n, dim]`; row i is of the same image.
 * @returns a scalar, infinite where squares are beyond float32: the loss is one of the batch. The caller disposes it.
 */
export function vicReg(viewA: tf.Tensor, viewB: tf.Tensor, options: VICRegOptions = {}): tf.Scalar {
  const {
    invarianceWeight = 25,
    varianceWeight = 25,
    covarianceWeight = 1,
    epsilon = 1e-4,
  } = checkOptions<VICRegOptions>("vicReg", options, {
    invarianceWeight: true,
    varianceWeight: true,
    covarianceWeight: true,
    epsilon: true,
  });
  for (const [name, weight] of Object.entries({ invarianceWeight, varianceWeight, covarianceWeight })) {
    checkFloat(`vicReg: ${name}`, weight, { min: 0 });
  }
  checkFloat("vicReg: epsilon", epsilon, { above: 0 });
  return tf.tidy(() => {
    const rows = checkSameShape("vicReg", { viewA, viewB });
    const [n, dim] = rows.viewA.shape;
    checkBatch("vicReg", n);
    const invariance = tf.mean(tf.square(tf.sub(rows.viewA, rows.viewB)));
    const terms = [rows.viewA, rows.viewB].map((x) => {
      const centered = tf.sub(x, tf.mean(x, 0, true)) as tf.Tensor2D;
      const variances = tf.div(tf.sum(tf.square(centered), 0), n - 1);
      const spread = tf.mean(tf.relu(tf.sub(1, tf.sqrt(tf.add(variances, epsilon)))));
      const columns = tf.transpose(centered) as tf.Tensor2D;
      const covariance = tf.div(dotProducts(columns, columns), n - 1);
      const offDiagonal = tf.where(tf.cast(tf.eye(dim), "bool"), tf.zerosLike(covariance), covariance);
      return { spread, covariance: tf.div(tf.sum(tf.square(offDiagonal)), dim) };
    });
    const variance = tf.mul(tf.add(terms[0].spread, terms[1].spread), 0.5);
    const covariance = tf.add(terms[0].covariance, terms[1].covariance);
    return tf.addN([
      tf.mul(invariance, invarianceWeight),
      tf.mul(variance, varianceWeight),
      tf.mul(covariance, covarianceWeight),
    ]) as tf.Scalar;
  });
}
