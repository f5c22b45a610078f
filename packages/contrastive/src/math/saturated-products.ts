import * as tf from "@tensorflow/tfjs-core";
import { largestSize } from "./largest-size.js";
import { saturate } from "./saturate.js";

/**
 * `x . y` of every row of `x` and every row of `y`, whose partial products neither overflow nor vanish: a product beyond float32 is the
 * largest float32, with its sign.
 *
 * @param x `[n, dim]`. @param y `[m, dim]`
 * @returns `[n, m]`
 */
export function dotProducts(x: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor2D {
  const product = tf.customGrad((...args) => {
    const [a, b, save] = args as unknown as [tf.Tensor2D, tf.Tensor2D, tf.GradSaveFunc];
    save([a, b]);
    const value = tf.tidy(() => {
      const [lengthOfA, lengthOfB] = [largestSize(a, 1), largestSize(b, 1)];
      const scaled = tf.matMul(tf.div(a, lengthOfA), tf.div(b, lengthOfB), false, true);
      return saturate(tf.mul(tf.mul(scaled, lengthOfA), tf.transpose(lengthOfB)));
    });
    // The rows themselves: lengths in the gradient could overflow.
    const gradFunc = (dy: tf.Tensor, [p, q]: tf.Tensor[]) => [tf.matMul(dy, q), tf.matMul(dy, p, true)];
    return { value, gradFunc };
  });
  return product(x, y) as tf.Tensor2D;
}

/** As {@link dotProducts}, of row i of `x` and row i of `y`, `[n]`. */
export function rowProducts(x: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor1D {
  const product = tf.customGrad((...args) => {
    const [a, b, save] = args as unknown as [tf.Tensor2D, tf.Tensor2D, tf.GradSaveFunc];
    save([a, b]);
    const value = tf.tidy(() => {
      const [lengthOfA, lengthOfB] = [largestSize(a, 1), largestSize(b, 1)];
      const scaled = tf.sum(tf.mul(tf.div(a, lengthOfA), tf.div(b, lengthOfB)), 1, true);
      return saturate(tf.squeeze(tf.mul(tf.mul(scaled, lengthOfA), lengthOfB), [1]));
    });
    const gradFunc = (dy: tf.Tensor, [p, q]: tf.Tensor[]) => {
      const up = tf.expandDims(dy, 1);
      return [tf.mul(up, q), tf.mul(up, p)];
    };
    return { value, gradFunc };
  });
  return product(x, y) as tf.Tensor1D;
}
