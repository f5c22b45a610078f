import * as tf from "@tensorflow/tfjs-core";
import { largestSize } from "./largest-size.js";
import { saturate } from "./saturate.js";

/**
 * `x . y` of every row of `x` and every row of `y`, whose partial products neither overflow nor vanish: a product beyond float32 is the
 * largest float32, with its sign, and so is a gradient.
 *
 * @param x `[n, dim]`. @param y `[m, dim]`
 * @returns `[n, m]`
 */
export function dotProducts(x: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor2D {
  const product = tf.customGrad((...args) => {
    const [a, b, save] = args as unknown as [tf.Tensor2D, tf.Tensor2D, tf.GradSaveFunc];
    save([a, b]);
    const value = tf.tidy(() => {
      const [sizeOfA, sizeOfB] = [largestSize(a, 1), largestSize(b, 1)];
      const scaled = tf.matMul(tf.div(a, sizeOfA), tf.div(b, sizeOfB), false, true);
      return timesBoth(scaled, sizeOfA, tf.transpose(sizeOfB));
    });
    // The gradients are products of the same kind: `dy q` and `dy^T p`.
    const gradFunc = (dy: tf.Tensor, [p, q]: tf.Tensor[]) => [
      dotProducts(dy as tf.Tensor2D, tf.transpose(q) as tf.Tensor2D),
      dotProducts(tf.transpose(dy) as tf.Tensor2D, tf.transpose(p) as tf.Tensor2D),
    ];
    return { value, gradFunc };
  });
  return product(x, y) as tf.Tensor2D;
}

/** `x * a * b`, where `x * a` alone may be beyond float32 and the product is not: the smaller factor comes first. */
function timesBoth(x: tf.Tensor, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return saturate(tf.mul(tf.mul(x, tf.minimum(a, b)), tf.maximum(a, b)));
}

/** The dot product of row i of `x` and row i of `y`, `[n]`, with {@link dotProducts}' care for large numbers. */
export function rowProducts(x: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor1D {
  const product = tf.customGrad((...args) => {
    const [a, b, save] = args as unknown as [tf.Tensor2D, tf.Tensor2D, tf.GradSaveFunc];
    save([a, b]);
    const value = tf.tidy(() => {
      const [sizeOfA, sizeOfB] = [largestSize(a, 1), largestSize(b, 1)];
      const scaled = tf.sum(tf.mul(tf.div(a, sizeOfA), tf.div(b, sizeOfB)), 1, true);
      return tf.squeeze(timesBoth(scaled, sizeOfA, sizeOfB), [1]);
    });
    const gradFunc = (dy: tf.Tensor, [p, q]: tf.Tensor[]) => {
      const up = tf.expandDims(dy, 1);
      return [saturate(tf.mul(up, q)), saturate(tf.mul(up, p))];
    };
    return { value, gradFunc };
  });
  return product(x, y) as tf.Tensor1D;
}
