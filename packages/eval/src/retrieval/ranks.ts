import * as tf from "@tensorflow/tfjs-core";
import { type Features, openSameWidth } from "../features/open-features.js";
import { forEachScoreRow, type ScoreRow, type SearchOptions } from "../search/score-rows.js";

/**
 * For each query the ranks of its right candidates, from 0, in rising order. Ties count against the query: wrong candidates
 * that are as similar as a right one, up to the tolerance, stand before it.
 *
 * @param rightOf the right candidates of a query
 * @throws where a query has none, or one that is not there
 */
export async function rightRanks(
  caller: string,
  { queries, candidates }: { queries: Features; candidates: Features },
  {
    rightOf,
    tie,
    threads,
  }: { rightOf: (query: number, candidates: number) => readonly number[]; tie: number } & SearchOptions,
): Promise<Int32Array[]> {
  const opened = await openSameWidth(caller, { queries, candidates });
  const ranks: Int32Array[] = [];
  try {
    await forEachScoreRow(caller, { ...opened, threads }, (query, row) => {
      const right = rightOf(query, row.scores.length);
      if (right.length === 0) throw new Error(`${caller}: query ${query} has no right candidate`);
      ranks.push(ranksOf(row, right, tie));
    });
  } finally {
    tf.dispose([opened.queries, opened.candidates]);
  }
  return ranks;
}

function ranksOf(
  { scores, unit, error, cosine }: ScoreRow,
  right: readonly number[],
  tie: number,
): Int32Array {
  const own = Float64Array.from(right, cosine).sort().reverse();
  // A candidate below the bound of a place stands behind it; their scores tell unless they are within the error.
  const bounds = own.map((value) => value - tie);
  const placeOf = (value: number, shift: number) => {
    let place = 0;
    while (place < bounds.length && bounds[place] * unit + shift > value) place++;
    return place;
  };
  const isRight = new Set(right);
  // above[r] counts wrong candidates that stand before the right one of place r, but not before that of place r - 1.
  const above = new Int32Array(own.length + 1);
  const last = bounds[bounds.length - 1] * unit - error;
  for (let j = 0; j < scores.length; j++) {
    const score = scores[j];
    if (score < last || isRight.has(j)) continue;
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
