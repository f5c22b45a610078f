import * as tf from "@tensorflow/tfjs-core";

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
  const lengths = gradients.map((list) => list.length);
  if (gradients.length === 0 || lengths.some((length) => length !== lengths[0])) {
    throw new Error(
      `${caller}: expected one list of gradients for each loss, all of one length, got ${lengths}`,
    );
  }
  for (const [i, list] of gradients.entries()) {
    const at = list.findIndex((x, k) => String(x.shape) !== String(gradients[0][k].shape));
    if (at < 0) continue;
    throw new Error(
      `${caller}: tensor ${at} must have one shape for all losses, got [${gradients[0][at].shape}] and, of loss ${i}, [${list[at].shape}]`,
    );
  }
  return gradients[0].map((_, at) => tf.tidy(() => f(tf.stack(gradients.map((list) => list[at])), at)));
}
