import type * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";

/**
 * Checks lists of gradients: one for each loss, of the same tensors in the same order.
 *
 * @throws with the loss and the tensor that differ
 */
export function checkGradients(caller: string, gradients: readonly (readonly tf.Tensor[])[]): void {
  if (!Array.isArray(gradients) || gradients.length === 0 || !gradients.every(Array.isArray)) {
    throw new TypeError(
      `${caller}: expected one list of gradients for each of at least one loss, got ${describe(gradients)}`,
    );
  }
  const lengths = gradients.map((list) => list.length);
  if (lengths.some((length) => length !== lengths[0])) {
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
}
