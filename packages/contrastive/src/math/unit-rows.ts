import * as tf from "@tensorflow/tfjs-core";
import { l2Normalize } from "../shared/l2-normalize.js";

/**
 * `l2Normalize` of the rows of large matrices: the gradient tape keeps only the rows, and not a copy for each operation.
 *
 * With `y = x / |x|` the gradient is `(dy - y (y . dy)) / |x|`, and 0 for zero rows.
 *
 * @param x `[n, dim]`, float32
 */
export function unitRows(x: tf.Tensor2D): tf.Tensor2D {
  const normalize = tf.customGrad((z, save) => {
    (save as tf.GradSaveFunc)([z as tf.Tensor]);
    return {
      value: l2Normalize(z as tf.Tensor),
      gradFunc: (dy: tf.Tensor, [rows]: tf.Tensor[]) =>
        tf.tidy(() => {
          const y = unitRows(rows as tf.Tensor2D);
          const tangent = tf.sub(dy, tf.mul(y, tf.sum(tf.mul(y, dy), 1, true)));
          // |x| as x . y, whose squares neither overflow nor vanish.
          const length = tf.sum(tf.mul(rows, y), 1, true);
          const isZero = tf.equal(length, 0);
          const inverse = tf.div(1, tf.where(isZero, tf.onesLike(length), length));
          return tf.mul(tangent, tf.where(isZero, tf.zerosLike(inverse), inverse));
        }),
    };
  });
  return normalize(x) as tf.Tensor2D;
}
