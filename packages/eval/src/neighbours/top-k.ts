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
  // The largest scores so far in falling order.
  const largest = new Float64Array(k).fill(Number.NEGATIVE_INFINITY);
  const candidates: number[] = [];
  // A candidate with one of the k largest cosines has a score at most two errors below the k-th largest score. Most scores end at this bar.
  let bar = Number.NEGATIVE_INFINITY;
  const { length } = scores;
  for (let i = 0; i < length; i++) {
    const score = scores[i];
    if (score < bar || i === left) continue;
    candidates.push(i);
    if (score <= largest[k - 1]) continue;
    let place = k - 1;
    for (; place > 0 && largest[place - 1] < score; place--) largest[place] = largest[place - 1];
    largest[place] = score;
    bar = largest[k - 1] - 2 * error;
  }
  // The bar rose while they were found.
  const found = candidates
    .filter((index) => scores[index] >= bar)
    .map((index) => ({ index, similarity: cosine(index) }))
    .sort((a, b) => b.similarity - a.similarity || a.index - b.index);
  return {
    indices: Int32Array.from({ length: k }, (_, i) => found[i].index),
    similarities: Float32Array.from({ length: k }, (_, i) => found[i].similarity),
  };
}
