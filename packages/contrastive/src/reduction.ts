import * as tf from "@tensorflow/tfjs-core";

/** How per-sample losses become the result: their mean, their sum, or themselves. */
export type Reduction = "mean" | "sum" | "none";

/** What a reduction gives: a scalar, or one value for each sample. */
export type Reduced<R extends Reduction> = R extends "none" ? tf.Tensor1D : tf.Scalar;

/**
 * The mean or sum of per-sample losses, or with `"none"` a tensor of its own with the losses themselves. The caller
 * disposes it.
 *
 * @param losses `[n]`.
 */
export function reduce<R extends Reduction>(losses: tf.Tensor1D, reduction: R): Reduced<R> {
  if (reduction === "mean") return tf.mean(losses) as Reduced<R>;
  if (reduction === "sum") return tf.sum(losses) as Reduced<R>;
  if (reduction === "none") return tf.clone(losses) as Reduced<R>;
  throw new Error(`reduction must be "mean", "sum" or "none", got ${JSON.stringify(reduction)}`);
}
