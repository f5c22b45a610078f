import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkEmbeddings, checkSameShape } from "../check-embeddings.js";
import { lpDistance } from "../distances/lp-distance.js";
import { absent } from "../math/masked-log-sum-exp.js";
import { stopGradient } from "../math/stop-gradient.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

export interface AlignmentOptions<R extends Reduction = Reduction> {
  /** The power of the distance, greater than 0. Default 2. */
  alpha?: number;
  /** Over the pairs. Default `"mean"`. */
  reduction?: R;
}

/**
 * Alignment (Wang and Isola 2020, eq. 2): `||x_i - y_i||^alpha` of normalised positive pairs.
 *
 * @param viewA `[n, dim]`. @param viewB `[n, dim]`; row i is of the same image.
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function alignment<R extends Reduction = "mean">(
  viewA: tf.Tensor,
  viewB: tf.Tensor,
  options: AlignmentOptions<R> = {},
): Reduced<R> {
  const { alpha = 2, reduction = "mean" as R } = checkOptions<AlignmentOptions<R>>("alignment", options, {
    alpha: true,
    reduction: true,
  });
  checkNumber("alignment: alpha", alpha, { above: 0 });
  return tf.tidy(() => {
    const rows = checkSameShape("alignment", { viewA, viewB });
    const squares = tf.sum(tf.square(tf.sub(l2Normalize(rows.viewA), l2Normalize(rows.viewB))), 1);
    if (alpha === 2) return reduce(squares as tf.Tensor1D, reduction);
    // A root has no finite slope at 0; equal rows have a gradient of 0.
    const isZero = stopGradient(squares, (y) => tf.equal(y, 0));
    const powers = tf.pow(tf.where(isZero, tf.onesLike(squares), squares), alpha / 2);
    return reduce(tf.where(isZero, tf.zerosLike(squares), powers) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

/**
 * Uniformity (Wang and Isola 2020, eq. 3): the logarithm of the mean of `exp(-t ||x_i - x_j||^2)` over all pairs of different normalised
 * rows.
 *
 * @param embeddings `[n, dim]`, n >= 2
 * @param options `t`, greater than 0, default 2
 * @returns a scalar; the caller disposes it
 */
export function uniformity(embeddings: tf.Tensor, options: { t?: number } = {}): tf.Scalar {
  const { t = 2 } = checkOptions("uniformity", options, { t: true });
  checkNumber("uniformity: t", t, { above: 0 });
  return tf.tidy(() => {
    const x = checkEmbeddings("uniformity: embeddings", embeddings);
    const n = x.shape[0];
    checkBatch("uniformity", n);
    const scores = tf.mul(lpDistance({ power: 2 })(x, x), -t);
    const others = tf.where(tf.cast(tf.eye(n), "bool"), tf.fill([n, n], absent), scores);
    return tf.sub(tf.logSumExp(others), Math.log(n * (n - 1))) as tf.Scalar;
  });
}
