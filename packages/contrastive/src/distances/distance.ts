import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings } from "../check-embeddings.js";
import { describe } from "../shared/check-options.js";

/** Compares every row of `a [n, dim]` with every row of `b [m, dim]`: `[n, m]`, differentiable, greater is closer. */
export type Similarity = (a: tf.Tensor2D, b: tf.Tensor2D) => tf.Tensor2D;

/** Compares every row of `a [n, dim]` with every row of `b [m, dim]`: `[n, m]`, differentiable, smaller is closer. */
export type Distance = (a: tf.Tensor2D, b: tf.Tensor2D) => tf.Tensor2D;

/** Checks two matrices of one width. @returns both as float32 */
export function checkWidths(caller: string, a: tf.Tensor, b: tf.Tensor): [tf.Tensor2D, tf.Tensor2D] {
  const rows: [tf.Tensor2D, tf.Tensor2D] = [
    checkEmbeddings(`${caller}: a`, a),
    checkEmbeddings(`${caller}: b`, b),
  ];
  if (a.shape[1] !== b.shape[1]) {
    throw new Error(`${caller}: expected [n, dim] and [m, dim], got [${a.shape}] and [${b.shape}]`);
  }
  return rows;
}

/** Runs a user's comparison and checks the shape of its result. */
export function compare(
  name: string,
  how: Similarity | Distance,
  a: tf.Tensor2D,
  b: tf.Tensor2D,
): tf.Tensor2D {
  const matrix = how(a, b);
  if (
    !(matrix instanceof tf.Tensor) ||
    matrix.rank !== 2 ||
    matrix.shape[0] !== a.shape[0] ||
    matrix.shape[1] !== b.shape[0]
  ) {
    const got = matrix instanceof tf.Tensor ? `[${matrix.shape}]` : describe(matrix);
    throw new Error(`${name} must return [${a.shape[0]}, ${b.shape[0]}], got ${got}`);
  }
  return matrix;
}
