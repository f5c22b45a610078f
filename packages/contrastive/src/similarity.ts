import * as tf from "@tensorflow/tfjs-core";

/** Pairwise similarity: `[n, dim]` and `[m, dim]` to `[n, m]`, differentiable. */
export type Similarity = (a: tf.Tensor2D, b: tf.Tensor2D) => tf.Tensor2D;

/** Rows divided by their Euclidean norm; a zero row stays zero. @param x `[n, dim]`. */
export function normalizeRows(x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.mul(x, tf.rsqrt(tf.maximum(tf.sum(tf.square(x), 1, true), 1e-24))));
}

/**
 * Cosine similarity of every row of `a` with every row of `b`. A zero row has similarity 0 with all. Time `O(n m dim)`.
 *
 * @param a `[n, dim]`. @param b `[m, dim]`. @returns `[n, m]`, each in [-1, 1].
 * @throws when the tensors are no matrices of one width.
 */
export function cosineSimilarity(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  checkWidths("cosineSimilarity", a, b);
  return tf.tidy(() => tf.matMul(normalizeRows(a), normalizeRows(b), false, true));
}

/**
 * Dot product of every row of `a` with every row of `b`: for embeddings that are normalised already, or where length
 * matters.
 *
 * @param a `[n, dim]`. @param b `[m, dim]`. @returns `[n, m]`.
 * @throws when the tensors are no matrices of one width.
 */
export function dotSimilarity(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
  checkWidths("dotSimilarity", a, b);
  return tf.matMul(a, b, false, true);
}

function checkWidths(where: string, a: tf.Tensor, b: tf.Tensor): void {
  if (a.rank !== 2 || b.rank !== 2 || a.shape[1] !== b.shape[1]) {
    throw new Error(`${where}: expected [n, dim] and [m, dim], got [${a.shape}] and [${b.shape}]`);
  }
}
