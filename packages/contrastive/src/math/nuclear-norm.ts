import * as tf from "@tensorflow/tfjs-core";
import { largestSize } from "./largest-size.js";

/**
 * Steps of the Newton-Schulz iteration. Each multiplies small singular values by 1.5, so that those above 1e-6 of the largest have
 * reached 1 after 34; a few more make them exact.
 */
const STEPS = 42;

/**
 * The nuclear norm, the sum of the singular values, of a stack of matrices, differentiable once. Its gradient is the orthogonal polar
 * factor `U V^T`, which the Newton-Schulz iteration finds by products only, on any backend.
 *
 * @param x `[..., rows, columns]`
 * @returns `[...]`; singular values below 1e-6 of the matrix's norm count for less than they are
 */
export function nuclearNorm(x: tf.Tensor): tf.Tensor {
  const norm = tf.customGrad((y, save) => {
    const matrix = y as tf.Tensor;
    const polar = tf.tidy(() => {
      // By the largest entry first: the squares of 1e20 and 1e-23 are no float32.
      const scaled = tf.div(matrix, largestSize(matrix, [-2, -1]));
      const length = tf.sqrt(tf.sum(tf.square(scaled), [-2, -1], true));
      let p = tf.div(scaled, tf.maximum(length, 1e-30));
      const isWide = matrix.shape[matrix.rank - 2]! <= matrix.shape[matrix.rank - 1]!;
      for (let i = 0; i < STEPS; i++) {
        // The smaller of the two Gram matrices.
        const cubic = isWide
          ? tf.matMul(tf.matMul(p, p, false, true), p)
          : tf.matMul(p, tf.matMul(p, p, true));
        p = tf.sub(tf.mul(p, 1.5), tf.mul(cubic, 0.5));
      }
      return p;
    });
    (save as tf.GradSaveFunc)([polar]);
    const value = tf.sum(tf.mul(matrix, polar), [-2, -1]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [factor]: tf.Tensor[]) => tf.mul(factor, tf.reshape(dy, [...dy.shape, 1, 1])),
    };
  });
  return norm(x);
}
