import * as tf from "@tensorflow/tfjs-core";
import { largestSize } from "./largest-size.js";
import { stopGradient } from "./stop-gradient.js";

/**
 * The Lp norm over the last axis, at every length that float32 has: the squares of 1e20 and 1e-23 are no float32. A zero vector has a
 * gradient of 0.
 *
 * @param x `[..., dim]`. @param p at least 1
 * @returns `[...]`
 */
export function lpNorm(x: tf.Tensor, p: number): tf.Tensor {
  if (p === 1) return tf.tidy(() => tf.sum(sizeOf(x), -1));
  const norm = tf.customGrad((z, save) => {
    const y = z as tf.Tensor;
    (save as tf.GradSaveFunc)([y]);
    return {
      value: tf.tidy(() => {
        const { scale, roots, isZero } = scaledNorm(y, p);
        return tf.squeeze(tf.mul(tf.where(isZero, tf.zerosLike(roots), roots), scale), [-1]);
      }),
      // The slope is at most 1. As a product of the scale and what is divided by it, it would be beyond float32 on the way.
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) =>
        tf.tidy(() => {
          const { scaled, roots, isZero } = scaledNorm(saved, p);
          const shares = tf.div(scaled, roots);
          const slope =
            p === 2 ? shares : tf.mul(stopGradient(shares, tf.sign), tf.pow(sizeOf(shares), p - 1));
          return tf.mul(tf.expandDims(dy, -1), tf.where(isZero, tf.zerosLike(slope), slope));
        }),
    };
  });
  return norm(x);
}

/** The absolute value: tfjs's gradient of abs at 0 is -1. */
const sizeOf = (x: tf.Tensor): tf.Tensor => tf.mul(x, stopGradient(x, tf.sign));

/** Vectors divided by their largest entry, and the norms of these, 1 in place of 0. */
function scaledNorm(x: tf.Tensor, p: number) {
  // The norm of a multiple is that multiple of the norm, so the scale is a constant for the gradient.
  const scale = stopGradient(x, (y) => largestSize(y, -1));
  const scaled = tf.div(x, scale);
  const sums = tf.sum(p === 2 ? tf.square(scaled) : tf.pow(sizeOf(scaled), p), -1, true);
  const isZero = stopGradient(sums, (y) => tf.equal(y, 0));
  return { scale, scaled, isZero, roots: tf.pow(tf.where(isZero, tf.onesLike(sums), sums), 1 / p) };
}
