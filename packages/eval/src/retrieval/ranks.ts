import * as tf from "@tensorflow/tfjs-core";
import { type Features, openSameWidth } from "../features/open-features.js";
import { forEachScoreRow, type ScoreRow, type SearchOptions } from "../search/score-rows.js";

/**
 * Visits, query by query, the ranks of its right candidates, from 0, in rising order. Ties count against the query: wrong candidates
 * that are as similar as a right one, up to the tolerance, stand before it. No more than a query's ranks are held: within one set
 * of few classes there are as many as pairs of rows.
 *
 * @param candidates undefined for the other queries
 * @param rightOf the right candidates of a query
 * @throws where a query has none, or one that is not there, and where it is among its own candidates and no right one
 */
export async function forEachRightRanks(
  caller: string,
  { queries, candidates }: { queries: Features; candidates: Features | undefined },
  {
    rightOf,
    tie,
    threads,
  }: { rightOf: (query: number, candidates: number) => readonly number[]; tie: number } & SearchOptions,
  visit: (ranks: Int32Array) => void,
): Promise<void> {
  const opened: { queries: tf.Tensor2D; candidates?: tf.Tensor2D } =
    candidates === undefined
      ? await openSameWidth(caller, { queries })
      : await openSameWidth(caller, { queries, candidates });
  const compared = { queries: opened.queries, candidates: opened.candidates ?? opened.queries, threads };
  try {
    await forEachScoreRow(caller, compared, (query, row) => {
      const right = rightOf(query, row.scores.length);
      if (right.length === 0) throw new Error(`${caller}: query ${query} has no right candidate`);
      if (candidates === undefined && right.includes(query))
        throw new Error(`${caller}: query ${query} is no candidate of its own, and cannot be a right one`);
      if (candidates === queries && !right.includes(query)) {
        throw new Error(
          `${caller}: query ${query} is among the candidates, and no right one; leave candidates undefined to search the other queries`,
        );
      }
      visit(ranksOf(row, right, { tie, left: candidates === undefined ? query : undefined }));
    });
  } finally {
    tf.dispose(Object.values(opened));
  }
}

function ranksOf(
  { scores, unit, error, cosine }: ScoreRow,
  right: readonly number[],
  { tie, left }: { tie: number; left: number | undefined },
): Int32Array {
  const own = Float64Array.from(right, cosine).sort().reverse();
  // A candidate below the bound of a place stands behind it; their scores tell unless they are within the error.
  const bounds = own.map((value) => value - tie);
  const placeOf = (value: number, shift: number) => {
    let [place, end] = [0, bounds.length];
    while (place < end) {
      const middle = (place + end) >> 1;
      if (bounds[middle] * unit + shift > value) place = middle + 1;
      else end = middle;
    }
    return place;
  };
  // A query that searches its own set is left out, as the right candidates are.
  const isSkipped = new Set(left === undefined ? right : [...right, left]);
  // above[r] counts wrong candidates that stand before the right one of place r, but not before that of place r - 1.
  const above = new Int32Array(own.length + 1);
  const last = bounds[bounds.length - 1] * unit - error;
  for (let j = 0; j < scores.length; j++) {
    const score = scores[j];
    if (score < last || isSkipped.has(j)) continue;
    const place = placeOf(score, error);
    above[placeOf(score, -error) === place ? place : placeOf(cosine(j) * unit, 0)]++;
  }
  const ranks = new Int32Array(own.length);
  let wrong = 0;
  for (let place = 0; place < own.length; place++) {
    wrong += above[place];
    ranks[place] = wrong + place;
  }
  return ranks;
}
