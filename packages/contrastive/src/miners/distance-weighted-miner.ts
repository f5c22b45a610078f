import type * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import type { Triplets } from "../pairs/pairs.js";
import type { Reference } from "../pairs/tuple-inputs.js";
import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { readDistances } from "./mining-inputs.js";

export interface DistanceWeightedMinerOptions {
  /** Smaller distances count as this one, greater than 0. Default 0.5. */
  cutoff?: number;
  /** Negatives beyond this distance are not drawn, in (0, 2]. Default 1.4. */
  nonZeroLossCutoff?: number;
  /** Other rows to take positives and negatives from. Default: the batch itself. */
  reference?: Reference;
  /** Numbers in [0, 1), for repeatable draws. Default `Math.random`. */
  random?: () => number;
}

/**
 * Draws a negative for each positive pair, by the inverse of how often its distance occurs on the sphere (Wu et al. 2017, eq. 5), so that
 * all distances are drawn alike. Positive pairs whose anchor has no negative in range are left out.
 *
 * @param embeddings `[n, dim]`, dim at least 2. @param labels `n`.
 */
export async function distanceWeightedMiner(
  embeddings: tf.Tensor,
  labels: Labels,
  options: DistanceWeightedMinerOptions = {},
): Promise<Triplets> {
  const caller = "distanceWeightedMiner";
  const {
    cutoff = 0.5,
    nonZeroLossCutoff = 1.4,
    random = Math.random,
    reference,
  } = checkOptions<DistanceWeightedMinerOptions>(caller, options, {
    cutoff: true,
    nonZeroLossCutoff: true,
    random: "function",
    reference: true,
  });
  checkFloat(`${caller}: cutoff`, cutoff, { above: 0, below: 2 });
  checkFloat(`${caller}: nonZeroLossCutoff`, nonZeroLossCutoff, { above: 0, max: 2 });
  const inputs = await readDistances(caller, embeddings, { labels, reference });
  const dim = embeddings.shape[1]!;
  checkNumber(`${caller}: dim`, dim, { min: 2 });
  const logWeight = (distance: number) => {
    const d = Math.max(distance, cutoff);
    return (2 - dim) * Math.log(d) - ((dim - 3) / 2) * Math.log(1 - 0.25 * d * d);
  };
  const lists: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < inputs.n; i++) {
    const others = Array.from({ length: inputs.m }, (_, j) => j);
    const inRange = (j: number) =>
      inputs.isNegative(i, j) &&
      Math.max(inputs.distance(i, j), cutoff) < nonZeroLossCutoff &&
      Number.isFinite(logWeight(inputs.distance(i, j)));
    const candidates = others.filter(inRange);
    if (candidates.length === 0) continue;
    const logs = candidates.map((j) => logWeight(inputs.distance(i, j)));
    const largest = logs.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const weights = logs.map((value) => Math.exp(value - largest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (const p of others) {
      if (!inputs.isPositive(i, p)) continue;
      let rest = random() * total;
      let drawn = weights.findIndex((weight) => {
        rest -= weight;
        return rest < 0;
      });
      // Rounding may leave a remainder after the last weight.
      if (drawn < 0) drawn = weights.length - 1;
      lists[0].push(i);
      lists[1].push(p);
      lists[2].push(candidates[drawn]);
    }
  }
  const [anchor, positive, negative] = lists.map((list) => Int32Array.from(list));
  return { anchor, positive, negative };
}
