import * as tf from "@tensorflow/tfjs-core";

/** Rows divided by their Euclidean norm; a zero row stays zero. @param x `[n, dim]`. */
export function normalizeRows(x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.mul(x, tf.rsqrt(tf.maximum(tf.sum(tf.square(x), 1, true), 1e-12))));
}

/**
 * Cosine similarity of every row of `a` with every row of `b`.
 *
 * @param a `[n, dim]`. @param b `[m, dim]`. @returns `[n, m]`, each in [-1, 1].
 */
export function cosineSimilarity(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  if (a.rank !== 2 || b.rank !== 2 || a.shape[1] !== b.shape[1]) {
    throw new Error(`cosineSimilarity: expected [n, dim] and [m, dim], got [${a.shape}] and [${b.shape}]`);
  }
  return tf.tidy(() => tf.matMul(normalizeRows(a), normalizeRows(b), false, true));
}
