import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkEmbeddings, checkOptionalTensor, checkSameShape } from "../check-embeddings.js";
import { stopGradient } from "../math/stop-gradient.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

export interface TiCoOptions {
  /** The covariance of earlier steps, `[dim, dim]`, see {@link tiCoCovariance}. Default zeros. */
  covariance?: tf.Tensor;
  /** Momentum of the covariance, in [0, 1]. Default 0.9. */
  beta?: number;
  /** Weight of the covariance term, at least 0. Default 8. */
  rho?: number;
}

/**
 * TiCo (Zhu et al. 2022, eq. 6): `1 - mean cosine of the views + rho mean z_a^T C z_a`, with `C` the running covariance of the normalised
 * rows, this batch included. No gradient flows through `C`.
 *
 * @param viewA `[n, dim]`, n >= 2. @param viewB `[n, dim]`; row i is of the same image.
 * @returns a scalar; the caller disposes it
 */
export function tiCo(viewA: tf.Tensor, viewB: tf.Tensor, options: TiCoOptions = {}): tf.Scalar {
  const {
    covariance,
    beta = 0.9,
    rho = 8,
  } = checkOptions<TiCoOptions>("tiCo", options, {
    covariance: true,
    beta: true,
    rho: true,
  });
  checkFloat("tiCo: rho", rho, { min: 0 });
  return tf.tidy(() => {
    const rows = checkSameShape("tiCo", { viewA, viewB });
    checkBatch("tiCo", rows.viewA.shape[0]);
    const [a, b] = [l2Normalize(rows.viewA), l2Normalize(rows.viewB)];
    const c = stopGradient(tiCoCovariance(rows.viewA, { covariance, beta }));
    const invariance = tf.sub(1, tf.mean(tf.sum(tf.mul(a, b), 1)));
    const contrast = tf.mean(tf.sum(tf.mul(tf.matMul(a, c), a), 1));
    return tf.add(invariance, tf.mul(contrast, rho)) as tf.Scalar;
  });
}

/**
 * The running covariance of TiCo after a batch, `beta C + (1 - beta) z^T z / n` of the normalised rows.
 *
 * @param view `[n, dim]`, view A of the batch
 * @param options `covariance` `[dim, dim]` of before, default zeros; `beta` in [0, 1], default 0.9
 * @returns `[dim, dim]`, a new tensor; the caller disposes it and the old one
 */
export function tiCoCovariance(view: tf.Tensor, options: Omit<TiCoOptions, "rho"> = {}): tf.Tensor2D {
  const { covariance, beta = 0.9 } = checkOptions<Omit<TiCoOptions, "rho">>("tiCoCovariance", options, {
    covariance: true,
    beta: true,
  });
  checkFloat("tiCoCovariance: beta", beta, { min: 0, max: 1 });
  return tf.tidy(() => {
    const z = l2Normalize(checkEmbeddings("tiCoCovariance: view", view));
    const [n, dim] = z.shape;
    const before = checkOptionalTensor("tiCoCovariance: covariance", covariance, [dim, dim]);
    const now = tf.mul(tf.matMul(z, z, true), (1 - beta) / n);
    return (before ? tf.add(tf.mul(before, beta), now) : now) as tf.Tensor2D;
  });
}
