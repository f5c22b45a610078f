import * as tf from "@tensorflow/tfjs-core";
import { largestFloat } from "../shared/check-float.js";

/** Numbers beyond float32 as the largest float32, with their sign. NaN stays. */
function clampFloat(x: tf.Tensor): tf.Tensor {
  // tfjs's where makes one element of none and a number.
  if (x.size === 0) return tf.clone(x);
  return tf.tidy(() => {
    // A comparison with NaN is false, and clipping would lose it.
    const least = tf.where(tf.less(x, -largestFloat), -largestFloat, x);
    return tf.where(tf.greater(least, largestFloat), largestFloat, least);
  });
}

/**
 * The tensor with the largest float32 in place of Infinity, and its negative in place of -Infinity; NaN stays. The gradient is that of the
 * tensor itself: a difference of two such numbers is a number, and draws where the infinite one would.
 */
export function saturate<T extends tf.Tensor>(x: T): T {
  return tf.customGrad((y) => ({
    value: clampFloat(y as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => dy,
  }))(x) as T;
}

/** The tensor itself, whose gradient has the largest float32 in place of what is beyond it. */
export function saturateGradient<T extends tf.Tensor>(x: T): T {
  return tf.customGrad((y) => ({
    value: tf.clone(y as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => saturate(dy),
  }))(x) as T;
}
