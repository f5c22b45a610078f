import type * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { cosineDistance } from "../distances/cosine-distance.js";
import type { Pairs } from "../pairs/pairs.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type MinerOptions, minerOptionNames, readDistances } from "./mining-inputs.js";
import { choosePairs } from "./pair-margin-miner.js";

export interface MultiSimilarityMinerOptions extends MinerOptions {
  /** Default 0.1. */
  epsilon?: number;
}

/**
 * The pairs that the multi-similarity loss needs (Wang et al. 2019, eq. 9 and 10): negatives that are nearer than the farthest positive
 * plus epsilon, and positives that are farther than the nearest negative minus epsilon. Anchors without a positive keep no negative
 * pair, those without a negative no positive pair.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @param options `distance` is by default {@link cosineDistance}
 */
export async function multiSimilarityMiner(
  embeddings: tf.Tensor,
  labels: Labels,
  options: MultiSimilarityMinerOptions = {},
): Promise<Pairs> {
  const caller = "multiSimilarityMiner";
  const {
    epsilon = 0.1,
    distance = cosineDistance,
    reference,
  } = checkOptions<MultiSimilarityMinerOptions>(caller, options, { ...minerOptionNames, epsilon: true });
  checkFloat(`${caller}: epsilon`, epsilon);
  const inputs = await readDistances(caller, embeddings, { labels, distance, reference });
  const farthest = new Float64Array(inputs.n).fill(Number.NEGATIVE_INFINITY);
  const nearest = new Float64Array(inputs.n).fill(Number.POSITIVE_INFINITY);
  for (let i = 0; i < inputs.n; i++) {
    for (let j = 0; j < inputs.m; j++) {
      if (inputs.isPositive(i, j)) farthest[i] = Math.max(farthest[i], inputs.distance(i, j));
      if (inputs.isNegative(i, j)) nearest[i] = Math.min(nearest[i], inputs.distance(i, j));
    }
  }
  return choosePairs(inputs, {
    positive: (i, j) => inputs.distance(i, j) + epsilon > nearest[i],
    negative: (i, j) => inputs.distance(i, j) - epsilon < farthest[i],
  });
}
