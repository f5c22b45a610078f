import * as tf from "@tensorflow/tfjs-core";
import { checkGradients } from "./check-gradients.js";

/** Facts that an elementwise aggregator may use beside the gradients. */
export interface ElementwiseContext {
  /** Which step this is, from 0; seeds random draws. Default 0. */
  step?: number;
}

/**
 * A rule that combines gradients element by element, which no weights of whole gradients can express.
 */
export interface ElementwiseAggregator {
  readonly name: string;
  /**
   * @param gradients of each loss, the same tensors' in the same order; the caller keeps them
   * @returns the combined gradient, tensor by tensor; the caller disposes it
   */
  combine(gradients: readonly (readonly tf.Tensor[])[], context?: ElementwiseContext): tf.Tensor[];
}

/** The tensors of all losses at one place, stacked: `[m, ...]`. */
export function eachTensor(
  caller: string,
  gradients: readonly (readonly tf.Tensor[])[],
  f: (stacked: tf.Tensor, at: number) => tf.Tensor,
): tf.Tensor[] {
  checkGradients(caller, gradients);
  return gradients[0].map((_, at) => tf.tidy(() => f(tf.stack(gradients.map((list) => list[at])), at)));
}
