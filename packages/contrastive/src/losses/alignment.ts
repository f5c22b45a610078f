import * as tf from "@tensorflow/tfjs-core";
import { checkSameShape } from "../check-embeddings.js";
import { stopGradient } from "../math/stop-gradient.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
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
  checkFloat("alignment: alpha", alpha, { above: 0 });
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
