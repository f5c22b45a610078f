import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkEmbeddings } from "../check-embeddings.js";
import { stopGradient } from "../math/stop-gradient.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

export interface KoLeoOptions<R extends Reduction = Reduction> {
  /** Added to differences and to distances, greater than 0. Default 1e-8. */
  epsilon?: number;
  /** Over the rows. Default `"mean"`. */
  reduction?: R;
}

/**
 * KoLeo regulariser (Sablayrolles et al. 2019, eq. 5; used by DINOv2): minus the logarithm of each normalised row's distance to its
 * nearest neighbour, which spreads rows evenly.
 *
 * @param embeddings `[n, dim]`, n >= 2
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function koLeo<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  options: KoLeoOptions<R> = {},
): Reduced<R> {
  const { epsilon = 1e-8, reduction = "mean" as R } = checkOptions<KoLeoOptions<R>>("koLeo", options, {
    epsilon: true,
    reduction: true,
  });
  checkFloat("koLeo: epsilon", epsilon, { above: 0 });
  return tf.tidy(() => {
    const x = checkEmbeddings("koLeo: embeddings", embeddings);
    const n = x.shape[0];
    checkBatch("koLeo", n);
    const rows = l2Normalize(x);
    // A product with a one-hot matrix takes each row's nearest other row, differentiably on every backend.
    const isNearest = stopGradient<tf.Tensor2D>(rows, (y) => {
      const cosines = tf.matMul(y as tf.Tensor2D, y as tf.Tensor2D, false, true);
      const nearest = tf.argMax(tf.sub(cosines, tf.mul(tf.eye(n), 4)), 1) as tf.Tensor1D;
      return tf.cast(tf.oneHot(nearest, n), "float32");
    });
    const nearest = tf.matMul(isNearest, rows);
    const distances = tf.sqrt(tf.sum(tf.square(tf.add(tf.sub(rows, nearest), epsilon)), 1));
    return reduce(tf.neg(tf.log(tf.add(distances, epsilon))) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}
