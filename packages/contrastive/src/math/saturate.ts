import * as tf from "@tensorflow/tfjs-core";
import { largestFloat } from "../shared/check-float.js";

/**
 * The tensor with the largest float32 in place of Infinity, and its negative in place of -Infinity; NaN stays. The gradient is that of the
 * tensor itself: a difference of two such numbers is a number, and draws where the infinite one would.
 */
export function saturate<T extends tf.Tensor>(x: T): T {
  return tf.customGrad((y) => ({
    value: tf.tidy(() => {
      // A comparison with NaN is false, and clipping would lose it.
      const least = tf.where(tf.less(y as tf.Tensor, -largestFloat), -largestFloat, y as tf.Tensor);
      return tf.where(tf.greater(least, largestFloat), largestFloat, least);
    }),
    gradFunc: (dy: tf.Tensor) => dy,
  }))(x) as T;
}
