import type * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import type { Pairs } from "../pairs/pairs.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type MinerOptions, type MiningInputs, minerOptionNames, readDistances } from "./mining-inputs.js";

export interface PairMarginMinerOptions extends MinerOptions {
  /** Positive pairs must be farther apart. Default 0.2. */
  posMargin?: number;
  /** Negative pairs must be nearer. Default 0.8. */
  negMargin?: number;
}

/**
 * The positive pairs beyond one distance and the negative pairs within another (pytorch-metric-learning's `PairMarginMiner`).
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 */
export async function pairMarginMiner(
  embeddings: tf.Tensor,
  labels: Labels,
  options: PairMarginMinerOptions = {},
): Promise<Pairs> {
  const caller = "pairMarginMiner";
  const {
    posMargin = 0.2,
    negMargin = 0.8,
    ...rest
  } = checkOptions<PairMarginMinerOptions>(caller, options, {
    ...minerOptionNames,
    posMargin: true,
    negMargin: true,
  });
  checkFloat(`${caller}: posMargin`, posMargin);
  checkFloat(`${caller}: negMargin`, negMargin);
  const inputs = await readDistances(caller, embeddings, { labels, ...rest });
  return choosePairs(inputs, {
    positive: (i, j) => inputs.distance(i, j) > posMargin,
    negative: (i, j) => inputs.distance(i, j) < negMargin,
  });
}

/** The positive and negative pairs that pass. */
export function choosePairs(
  { n, m, isPositive, isNegative }: MiningInputs,
  passes: Record<"positive" | "negative", (i: number, j: number) => boolean>,
): Pairs {
  const lists = { a1: [] as number[], p: [] as number[], a2: [] as number[], n: [] as number[] };
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      if (isPositive(i, j) && passes.positive(i, j)) {
        lists.a1.push(i);
        lists.p.push(j);
      } else if (isNegative(i, j) && passes.negative(i, j)) {
        lists.a2.push(i);
        lists.n.push(j);
      }
    }
  }
  return {
    positive: { anchor: Int32Array.from(lists.a1), other: Int32Array.from(lists.p) },
    negative: { anchor: Int32Array.from(lists.a2), other: Int32Array.from(lists.n) },
  };
}
