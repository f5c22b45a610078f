import * as tf from "@tensorflow/tfjs-core";

/** How per-sample losses become the result: their mean, their sum, or themselves. */
export type Reduction = "mean" | "sum" | "none";

/** What a reduction gives: a scalar, or one value for each sample. */
export type Reduced<R extends Reduction> = R extends "none" ? tf.Tensor1D : tf.Scalar;

export function reduce<R extends Reduction>(losses: tf.Tensor1D, reduction: R): Reduced<R> {
  const results = {
    mean: () => tf.mean(losses),
    sum: () => tf.sum(losses),
    none: () => losses,
  };
  if (!(reduction in results)) {
    throw new Error(`reduction must be "mean", "sum" or "none", got ${JSON.stringify(reduction)}`);
  }
  return results[reduction]() as Reduced<R>;
}

/** Refuses a temperature that is not a positive number. */
export function checkTemperature(where: string, temperature: number): void {
  if (!(temperature > 0)) throw new Error(`${where}: temperature must be positive, got ${temperature}`);
}

/** Refuses anything but two matrices of one shape with at least two rows. */
export function checkPair(where: string, a: tf.Tensor, b: tf.Tensor): void {
  if (a.rank !== 2 || String(a.shape) !== String(b.shape)) {
    throw new Error(`${where}: expected two tensors of one shape [n, dim], got [${a.shape}] and [${b.shape}]`);
  }
  if (a.shape[0] < 2) {
    throw new Error(`${where}: a batch of one has no negatives and a constant loss; got shape [${a.shape}]`);
  }
}
