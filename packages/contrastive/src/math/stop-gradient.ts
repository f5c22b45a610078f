import * as tf from "@tensorflow/tfjs-core";

/**
 * A function of a tensor through which no gradient flows (PyTorch's `detach`). Operations without a gradient, such as comparisons and
 * argMax, need it: tfjs refuses to differentiate past them even where their gradient would be zero.
 *
 * @param x float32
 * @param f default: the tensor's own value
 * @returns a new tensor; the caller disposes it
 */
export function stopGradient<T extends tf.Tensor = tf.Tensor>(
  x: tf.Tensor,
  f: (x: tf.Tensor) => tf.Tensor = (y) => tf.clone(y),
): T {
  return tf.customGrad((y) => ({
    value: f(y as tf.Tensor),
    gradFunc: () => tf.zerosLike(x),
  }))(x) as T;
}
