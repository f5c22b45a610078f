import type { ScoreRow } from "../search/score-rows.js";

/** Neighbours of a row, the nearest first. */
export interface Neighbours {
  indices: Int32Array;
  /** Cosines. */
  similarities: Float32Array;
}

/**
 * The k candidates of the largest cosines in falling order; of equal ones those that come first.
 *
 * @param left the candidate that is left out, or -1
 */
export function topK({ scores, error, cosine }: ScoreRow, k: number, left: number): Neighbours {
  // A candidate with one of the k largest cosines has a score at most two errors below the k-th largest score.
  const least = kthLargest(scores, k, left) - 2 * error;
  const found: { index: number; similarity: number }[] = [];
  for (let i = 0; i < scores.length; i++) {
    if (scores[i] >= least && i !== left) found.push({ index: i, similarity: cosine(i) });
  }
  found.sort((a, b) => b.similarity - a.similarity || a.index - b.index);
  return {
    indices: Int32Array.from({ length: k }, (_, i) => found[i].index),
    similarities: Float32Array.from({ length: k }, (_, i) => found[i].similarity),
  };
}

/** The k-th largest of the values, without that at `left`. */
function kthLargest(values: ArrayLike<number>, k: number, left: number): number {
  const largest = new Float64Array(k);
  let count = 0;
  // Most values end at this comparison.
  let least = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value <= least || i === left) continue;
    // The last place falls out where all are taken.
    let place = count < k ? count++ : k - 1;
    for (; place > 0 && largest[place - 1] < value; place--) largest[place] = largest[place - 1];
    largest[place] = value;
    if (count === k) least = largest[k - 1];
  }
  return largest[k - 1];
}
