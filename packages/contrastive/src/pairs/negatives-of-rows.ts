import * as tf from "@tensorflow/tfjs-core";
import type { IndexPairs } from "./pairs.js";

/** The negatives of rows, for sums over them. */
export interface NegativesOfRows {
  /** Whether a column is a negative of the row, `[k, m]`, bool. */
  mask: tf.Tensor2D;
  /** Adds to scores `[k, m]` the logarithm of how often their pair is given, so that a sum of exponentials counts it as often. */
  countRepeats(scores: tf.Tensor): tf.Tensor;
}

/**
 * Finds the negatives of each of k rows in the matrix of all comparisons: O(k m) memory, where a mask of rows by negative pairs would take
 * n times as much.
 *
 * @param rows of the matrix; one that is -1 has no negatives
 * @param shape of the matrix, `[n, m]`
 */
export function negativesOfRows(
  rows: Int32Array,
  negative: IndexPairs,
  [n, m]: [number, number],
): NegativesOfRows {
  const counts = new Float32Array(n * m);
  for (const [i, anchor] of negative.anchor.entries()) counts[anchor * m + negative.other[i]]++;
  const ofRows = new Float32Array(rows.length * m);
  for (const [k, row] of rows.entries()) {
    if (row >= 0) ofRows.set(counts.subarray(row * m, (row + 1) * m), k * m);
  }
  const shape: [number, number] = [rows.length, m];
  const mask = tf.tensor2d(
    Uint8Array.from(ofRows, (count) => Number(count > 0)),
    shape,
    "bool",
  );
  if (ofRows.every((count) => count <= 1)) return { mask, countRepeats: (scores) => scores };
  const logs = tf.tensor2d(
    ofRows.map((count) => Math.log(Math.max(count, 1))),
    shape,
  );
  return { mask, countRepeats: (scores) => tf.add(scores, logs) };
}
