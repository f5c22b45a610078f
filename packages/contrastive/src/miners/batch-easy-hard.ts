import type * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import type { Triplets } from "../pairs/pairs.js";
import { checkChoice, checkOptions } from "../shared/check-options.js";
import { type MinerOptions, type MiningInputs, minerOptionNames, readDistances } from "./mining-inputs.js";

/** Which row an anchor takes: the most difficult, the least difficult, the most difficult that is not yet wrong, or each. */
export type Strategy = "hard" | "semihard" | "easy" | "all";

export interface BatchEasyHardOptions extends MinerOptions {
  /** Default `"easy"`. */
  positive?: Strategy;
  /** Default `"semihard"`. With `"semihard"` the other one is `"hard"` or `"easy"`. */
  negative?: Strategy;
}

/**
 * One triplet for each anchor, of the positive and the negative that the strategies choose; with `"all"` one for each of the anchor's
 * positives or negatives, with the other that is chosen (pytorch-metric-learning's `BatchEasyHardMiner`). Semi-hard is the hardest that is still on the right side of the other one: a negative that is farther than the
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
  const strategies: Strategy[] = ["hard", "semihard", "easy", "all"];
  checkChoice(`${caller}: positive`, positive, strategies);
  checkChoice(`${caller}: negative`, negative, strategies);
  const takesOne = (strategy: Strategy) => strategy === "hard" || strategy === "easy";
  if ([positive, negative].includes("semihard") && ![positive, negative].some(takesOne)) {
    throw new Error(
      `${caller}: beside "semihard" the other must be "hard" or "easy", got positive "${positive}", negative "${negative}"`,
    );
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
  for (let i = 0; i < n; i++) {
    /** The rows that the strategy takes among those that pass. The farthest is the most difficult where `sign` is 1, the nearest where it is -1. */
    const choose = (strategy: Strategy, sign: 1 | -1, passes: (j: number) => boolean): number[] => {
      const rows = Array.from({ length: m }, (_, j) => j).filter(passes);
      if (strategy === "all" || rows.length === 0) return rows;
      const by = strategy === "easy" ? -sign : sign;
      return [rows.reduce((best, j) => (by * distance(i, j) > by * distance(i, best) ? j : best))];
    };
    const choosePositives = (isRight = (_: number) => true) =>
      choose(positive, 1, (j) => isPositive(i, j) && isRight(distance(i, j)));
    const chooseNegatives = (isRight = (_: number) => true) =>
      choose(negative, -1, (j) => isNegative(i, j) && isRight(distance(i, j)));
    // The other strategy of a semi-hard one takes one row at most.
    let [positives, negatives]: number[][] = [];
    if (positive === "semihard") {
      negatives = chooseNegatives();
      positives = negatives.flatMap((k) => choosePositives((d) => d < distance(i, k)));
    } else {
      positives = choosePositives();
      negatives =
        negative === "semihard"
          ? positives.flatMap((p) => chooseNegatives((d) => d > distance(i, p)))
          : chooseNegatives();
    }
    for (const p of positives) for (const k of negatives) triplets.push([i, p, k]);
  }
  const column = (c: 0 | 1 | 2) => Int32Array.from(triplets, (triplet) => triplet[c]);
  return { anchor: column(0), positive: column(1), negative: column(2) };
}
