import * as tf from "@tensorflow/tfjs-core";

/** float32's exp(log 100) is 100.0000064: a value that rounding carries past the bound is still at it. */
const rounding = 1e-6;

/**
 * `min(x, max)` of a trained value. Beyond the bound the gradient passes where a step of descent makes x less, and is 0 where it makes x
 * greater: `tf.minimum` has a gradient of 0 there, so that one step across the bound would hold x for ever.
 *
 * @returns of x's shape; the caller disposes it
 */
export function clampAbove<T extends tf.Tensor>(x: T, max: number): T {
  const bound = max + Math.abs(max) * rounding;
  return tf.customGrad((y, save) => {
    (save as unknown as tf.GradSaveFunc)([y as tf.Tensor]);
    return {
      value: tf.minimum(y as tf.Tensor, max),
      gradFunc: (dy: tf.Tensor, [at]: tf.Tensor[]) => {
        const passes = tf.logicalOr(tf.lessEqual(at, bound), tf.greater(dy, 0));
        return tf.where(passes, dy, tf.zerosLike(dy));
      },
    };
  })(x) as T;
}
