import type * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import type { Triplets } from "../pairs/pairs.js";
import { checkFloat } from "../shared/check-float.js";
import { checkChoice, checkOptions } from "../shared/check-options.js";
import { type MinerOptions, minerOptionNames, readDistances } from "./mining-inputs.js";

export interface TripletMarginMinerOptions extends MinerOptions {
  /** At least 0. Default 0.2. */
  margin?: number;
  /**
   * `"all"`: those that violate the margin; of them `"hard"`: the negative is not farther than the positive, `"semihard"`: it is;
   * `"easy"`: those that do not violate it. Default `"all"`.
   */
  type?: "all" | "hard" | "semihard" | "easy";
}

/**
 * The triplets of a batch by how far the negative is beyond the positive (pytorch-metric-learning's `TripletMarginMiner`; semi-hard as
 * in Schroff et al. 2015, section 3.2).
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 */
export async function tripletMarginMiner(
  embeddings: tf.Tensor,
  labels: Labels,
  options: TripletMarginMinerOptions = {},
): Promise<Triplets> {
  const caller = "tripletMarginMiner";
  const {
    margin = 0.2,
    type = "all",
    ...rest
  } = checkOptions<TripletMarginMinerOptions>(caller, options, {
    ...minerOptionNames,
    margin: true,
    type: true,
  });
  checkFloat(`${caller}: margin`, margin, { min: 0 });
  checkChoice(`${caller}: type`, type, ["all", "hard", "semihard", "easy"]);
  const inputs = await readDistances(caller, embeddings, { labels, ...rest });
  const keeps = (beyond: number) => {
    if (type === "easy") return beyond > margin;
    if (beyond > margin) return false;
    return type === "all" || (type === "hard" ? beyond <= 0 : beyond > 0);
  };
  const lists: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < inputs.n; i++) {
    for (let p = 0; p < inputs.m; p++) {
      if (!inputs.isPositive(i, p)) continue;
      for (let k = 0; k < inputs.m; k++) {
        if (!inputs.isNegative(i, k) || !keeps(Math.fround(inputs.distance(i, k) - inputs.distance(i, p))))
          continue;
        lists[0].push(i);
        lists[1].push(p);
        lists[2].push(k);
      }
    }
  }
  const [anchor, positive, negative] = lists.map((list) => Int32Array.from(list));
  return { anchor, positive, negative };
}
