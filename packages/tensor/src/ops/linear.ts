import * as tf from "@tensorflow/tfjs-core";

/**
 * `y = x W^T + b`, one matrix product whatever the rank of `x`.
 *
 * @param x `[..., in]`.
 * @param weight `[out, in]`, PyTorch's layout.
 * @param bias `[out]`, or null for none.
 * @returns `[..., out]`.
 */
export function linear<T extends tf.Tensor>(x: T, weight: tf.Tensor2D, bias?: tf.Tensor1D | null): T {
  const [out, width] = weight.shape;
  if (x.shape[x.rank - 1] !== width) {
    throw new Error(`linear: x must end in ${width} for weight [${weight.shape}], got x [${x.shape}]`);
  }
  if (bias && (bias.rank !== 1 || bias.shape[0] !== out)) {
    throw new Error(
      `linear: bias must have shape [${out}] for weight [${weight.shape}], got [${bias.shape}]`,
    );
  }
  return tf.tidy(() => {
    const product = tf.matMul(tf.reshape(x, [-1, width]) as tf.Tensor2D, weight, false, true);
    const y = bias ? tf.add(product, bias) : product;
    return tf.reshape(y, [...x.shape.slice(0, -1), out]) as T;
  });
}
