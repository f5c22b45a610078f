import * as tf from "@tensorflow/tfjs-core";
import { toFloat } from "../check-embeddings.js";
import { nuclearNorm } from "../math/nuclear-norm.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";

export interface MMCROptions {
  /** Weight of the nuclear norms of the single manifolds, at least 0. Default 5e-3. */
  lambda?: number;
}

/**
 * Maximum manifold capacity representations (Yerxa et al. 2023, eq. 4): `-||C||_* + lambda mean_i ||Z_i||_*`, with `Z_i` the views of
 * image i and `C` their means. As in the paper, give rows that are normalised.
 *
 * @param views `[n, views, dim]`, at least two views; those of an online and of a momentum network side by side
 * @returns a scalar: the loss is one of the batch. It is differentiable once. The caller disposes it.
 */
export function mmcr(views: tf.Tensor, options: MMCROptions = {}): tf.Scalar {
  const { lambda = 5e-3 } = checkOptions<MMCROptions>("mmcr", options, { lambda: true });
  checkFloat("mmcr: lambda", lambda, { min: 0 });
  if (views?.rank !== 3 || views.shape[1]! < 2 || views.size === 0) {
    throw new Error(
      `mmcr: views must be [n, views, dim] with a row, a column and at least two views, got [${views?.shape}]`,
    );
  }
  return tf.tidy(() => {
    const z = toFloat("mmcr: views", views);
    const capacity = nuclearNorm(tf.mean(z, 1));
    return tf.sub(tf.mul(tf.mean(nuclearNorm(z)), lambda), capacity) as tf.Scalar;
  });
}
