import * as tf from "@tensorflow/tfjs-core";
import { type Features, openSameWidth } from "../features/open-features.js";
import { forEachSimilarityRow } from "../features/similarity-rows.js";

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
  { rightOf, tie }: { rightOf: (query: number, candidates: number) => readonly number[]; tie: number },
): Promise<Int32Array[]> {
  const opened = await openSameWidth(caller, { queries, candidates });
  const ranks: Int32Array[] = [];
  try {
    await forEachSimilarityRow(opened.queries, opened.candidates, (query, similarities) => {
      const right = rightOf(query, similarities.length);
      if (right.length === 0) throw new Error(`${caller}: query ${query} has no right candidate`);
      ranks.push(ranksOf(similarities, right, tie));
    });
  } finally {
    tf.dispose([opened.queries, opened.candidates]);
  }
  return ranks;
}

function ranksOf(similarities: Float32Array, right: readonly number[], tie: number): Int32Array {
  const own = Float32Array.from(right, (j) => similarities[j])
    .sort()
    .reverse();
  const isRight = new Set(right);
  // above[r] counts wrong candidates that stand before the right one of place r, but not before that of place r - 1.
  const above = new Int32Array(own.length + 1);
  const last = own[own.length - 1] - tie;
  for (let j = 0; j < similarities.length; j++) {
    if (similarities[j] < last || isRight.has(j)) continue;
    let place = 0;
    while (place < own.length && own[place] - tie > similarities[j]) place++;
    above[place]++;
  }
  const ranks = new Int32Array(own.length);
  let wrong = 0;
  for (let place = 0; place < own.length; place++) {
    wrong += above[place];
    ranks[place] = wrong + place;
  }
  return ranks;
}
