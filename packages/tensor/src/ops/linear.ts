import * as tf from "@tensorflow/tfjs-core";
import { checkFloatTensors } from "./check-float-tensors.js";
import { matMulAndSum } from "./product-and-sum.js";

/**
 * `y = x W^T + b + residual`, one matrix product whatever the rank of `x`.
 *
 * @param x `[..., in]`.
 * @param weight `[out, in]`, PyTorch's layout.
 * @param bias `[out]`, or null for none.
 * @param residual shaped as the result, which it is added to, such as the input of the block that this ends.
 * @returns `[..., out]`; the caller disposes it.
 */
export function linear<T extends tf.Tensor>(
  x: T,
  weight: tf.Tensor2D,
  bias?: tf.Tensor1D | null,
  residual?: tf.Tensor | null,
): T {
  checkFloatTensors("linear", { x, weight }, { bias, residual });
  const [out, width] = weight.shape;
  if (x.shape[x.rank - 1] !== width) {
    throw new Error(`linear: x must end in ${width} for weight [${weight.shape}], got x [${x.shape}]`);
  }
  if (bias && (bias.rank !== 1 || bias.shape[0] !== out)) {
    throw new Error(
      `linear: bias must have shape [${out}] for weight [${weight.shape}], got [${bias.shape}]`,
    );
  }
  const shape = [...x.shape.slice(0, -1), out];
  if (residual && !tf.util.arraysEqual(residual.shape, shape)) {
    throw new Error(`linear: residual must have the result's shape [${shape}], got [${residual.shape}]`);
  }
  return tf.tidy(() => {
    const rows = tf.reshape(x, [-1, width]) as tf.Tensor2D;
    return tf.reshape(matMulAndSum(rows, weight, true, { bias, residual }), shape) as T;
  });
}
