import type { Tensor } from "@tensorflow/tfjs-core";

const tensors = new WeakSet<Tensor>();

/**
 * Marks a float32 tensor whose values a shorter type cannot hold, such as an optimizer's second moments: files hold it as F32,
 * whatever dtype the writer is asked for.
 *
 * @returns the same tensor
 */
export function keepFullPrecision<T extends Tensor>(tensor: T): T {
  tensors.add(tensor);
  return tensor;
}

/** Whether {@link keepFullPrecision} marked it. */
export const hasFullPrecision = (tensor: Tensor): boolean => tensors.has(tensor);
