import type * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import type { Triplets } from "../pairs/pairs.js";
import { checkChoice, checkOptions } from "../shared/check-options.js";
import { type MinerOptions, type MiningInputs, minerOptionNames, readDistances } from "./mining-inputs.js";

/** Which row an anchor takes: the most difficult, the least difficult, or the most difficult that is not yet wrong. */
export type Strategy = "hard" | "semihard" | "easy";

export interface BatchEasyHardOptions extends MinerOptions {
  /** Default `"easy"`. */
  positive?: Strategy;
  /** Default `"semihard"`. Not both may be semi-hard. */
  negative?: Strategy;
}

/**
 * One triplet for each anchor, of the positive and the negative that the strategies choose (pytorch-metric-learning's
 * `BatchEasyHardMiner`). Semi-hard is the hardest that is still on the right side of the other one: a negative that is farther than the
 * positive, or a positive that is nearer than the negative (Xuan et al. 2020). Anchors without such rows are left out.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns triplets for {@link tripletLoss} and its kin
 */
export async function batchEasyHard(
  embeddings: tf.Tensor,
  labels: Labels,
  options: BatchEasyHardOptions = {},
): Promise<Triplets> {
  const caller = "batchEasyHard";
  const {
    positive = "easy",
    negative = "semihard",
    ...rest
  } = checkOptions<BatchEasyHardOptions>(caller, options, {
    ...minerOptionNames,
    positive: true,
    negative: true,
  });
  const strategies: Strategy[] = ["hard", "semihard", "easy"];
  checkChoice(`${caller}: positive`, positive, strategies);
  checkChoice(`${caller}: negative`, negative, strategies);
  if (positive === "semihard" && negative === "semihard") {
    throw new Error(`${caller}: positive and negative cannot both be "semihard"`);
  }
  return chooseTriplets(await readDistances(caller, embeddings, { labels, ...rest }), { positive, negative });
}

/** Triplets of the hardest positive and the hardest negative of each anchor (Hermans et al. 2017, eq. 5). */
export async function batchHard(
  embeddings: tf.Tensor,
  labels: Labels,
  options: MinerOptions = {},
): Promise<Triplets> {
  const checked = checkOptions<MinerOptions>("batchHard", options, minerOptionNames);
  const inputs = await readDistances("batchHard", embeddings, { labels, ...checked });
  return chooseTriplets(inputs, { positive: "hard", negative: "hard" });
}

function chooseTriplets(
  { n, m, distance, isPositive, isNegative }: MiningInputs,
  { positive, negative }: { positive: Strategy; negative: Strategy },
): Triplets {
  const triplets: [number, number, number][] = [];
  /** The row of the greatest (1) or smallest (-1) distance among those that pass. */
  const extreme = (i: number, sign: 1 | -1, passes: (j: number) => boolean) => {
    let best = -1;
    for (let j = 0; j < m; j++) {
      if (passes(j) && (best < 0 || sign * distance(i, j) > sign * distance(i, best))) best = j;
    }
    return best;
  };
  for (let i = 0; i < n; i++) {
    const choosePositive = (limit = Number.POSITIVE_INFINITY) =>
      extreme(i, positive === "easy" ? -1 : 1, (j) => isPositive(i, j) && distance(i, j) < limit);
    const chooseNegative = (limit = Number.NEGATIVE_INFINITY) =>
      extreme(i, negative === "easy" ? 1 : -1, (j) => isNegative(i, j) && distance(i, j) > limit);
    let [p, k] = [-1, -1];
    if (positive === "semihard") {
      k = chooseNegative();
      if (k >= 0) p = choosePositive(distance(i, k));
    } else {
      p = choosePositive();
      if (p >= 0) k = chooseNegative(negative === "semihard" ? distance(i, p) : undefined);
    }
    if (p >= 0 && k >= 0) triplets.push([i, p, k]);
  }
  const column = (c: 0 | 1 | 2) => Int32Array.from(triplets, (triplet) => triplet[c]);
  return { anchor: column(0), positive: column(1), negative: column(2) };
}
