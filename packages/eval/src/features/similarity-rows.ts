import * as tf from "@tensorflow/tfjs-core";
import { unitRows } from "./unit-rows.js";

/** Similarities that are in memory at a time, 64 MiB: products of few rows with many are slow. */
const blockSize = 2 ** 24;

/**
 * Computes the cosines of every query with every candidate on the device, a block of queries at a time, and shows them row by
 * row. The cosine with a zero row is 0.
 *
 * @param visit gets a query's number and its cosines with all candidates, which it must not keep
 */
export async function forEachSimilarityRow(
  queries: tf.Tensor2D,
  candidates: tf.Tensor2D,
  visit: (query: number, similarities: Float32Array) => void,
): Promise<void> {
  const [n, m] = [queries.shape[0], candidates.shape[0]];
  const [a, b] = [unitRows(queries), unitRows(candidates)];
  const rows = Math.max(1, Math.floor(blockSize / m));
  try {
    for (let start = 0; start < n; start += rows) {
      const count = Math.min(rows, n - start);
      const block = tf.tidy(() => tf.matMul(tf.slice(a, [start, 0], [count, -1]), b, false, true));
      const flat = (await block.data()) as Float32Array;
      block.dispose();
      for (let i = 0; i < count; i++) visit(start + i, flat.subarray(i * m, (i + 1) * m));
    }
  } finally {
    tf.dispose([a, b]);
  }
}

/** The cosine of each row of `a` with the same row of `b`; 0 where one is zero. */
export async function rowCosines(a: tf.Tensor2D, b: tf.Tensor2D): Promise<Float32Array> {
  const cosines = tf.tidy(() => tf.sum(tf.mul(unitRows(a), unitRows(b)), 1));
  const values = (await cosines.data()) as Float32Array;
  cosines.dispose();
  return values;
}
