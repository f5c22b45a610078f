import * as tf from "@tensorflow/tfjs-core";
import { checkTensors } from "./check-tensors.js";

/**
 * Adds a micro-batch's gradients to the sum of those before it, for batches that do not fit in memory. The mean over a
 * batch is the sum over its parts of each part's mean times its share, so scale the loss before: `tf.div(loss, parts)`
 * for parts of one size.
 *
 * @param sum what this function returned before, or undefined at the first micro-batch.
 * @param gradients as many as in `sum`, with the same shapes.
 * @returns the new sum; the caller disposes it. `sum` and `gradients` are taken over and must not be used again.
 * @throws when number or shapes differ; both are then left as they were.
 *
 * @example
 * let sum;
 * for (const part of parts) {
 *   const { value, gradients } = valueAndGradients(() => tf.div(loss(part), parts.length), parameters);
 *   sum = accumulateGradients(sum, gradients);
 *   value.dispose();
 * }
 */
export function accumulateGradients(sum: tf.Tensor[] | undefined, gradients: tf.Tensor[]): tf.Tensor[] {
  checkTensors("accumulateGradients: gradients", gradients);
  if (sum === undefined) return gradients;
  checkTensors("accumulateGradients: sum", sum);
  const shapes = (tensors: tf.Tensor[]) => tensors.map(({ shape }) => `[${shape}]`).join(", ");
  if (shapes(sum) !== shapes(gradients)) {
    throw new Error(
      `accumulateGradients: expected gradients of shapes ${shapes(sum)}, got ${shapes(gradients) || "none"}`,
    );
  }
  const total = tf.tidy(() => sum.map((before, i) => tf.add(before, gradients[i])));
  tf.dispose([sum, gradients]);
  return total;
}
