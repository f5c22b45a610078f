import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkEmbeddings } from "../check-embeddings.js";
import { lpDistance } from "../distances/lp-distance.js";
import { absent } from "../math/masked-log-sum-exp.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";

export interface UniformityOptions {
  /** Sharpness of the Gaussian kernel, greater than 0. Default 2. */
  t?: number;
}

/**
 * Uniformity (Wang and Isola 2020, eq. 3): the logarithm of the mean of `exp(-t ||x_i - x_j||^2)` over all pairs of different normalised
 * rows.
 *
 * @param embeddings `[n, dim]`, n >= 2
 * @returns a scalar; the caller disposes it
 */
export function uniformity(embeddings: tf.Tensor, options: UniformityOptions = {}): tf.Scalar {
  const { t = 2 } = checkOptions<UniformityOptions>("uniformity", options, { t: true });
  checkFloat("uniformity: t", t, { above: 0 });
  return tf.tidy(() => {
    const x = checkEmbeddings("uniformity: embeddings", embeddings);
    const n = x.shape[0];
    checkBatch("uniformity", n);
    const scores = tf.mul(lpDistance({ power: 2 })(x, x), -t);
    const others = tf.where(tf.cast(tf.eye(n), "bool"), tf.fill([n, n], absent), scores);
    return tf.sub(tf.logSumExp(others), Math.log(n * (n - 1))) as tf.Scalar;
  });
}
