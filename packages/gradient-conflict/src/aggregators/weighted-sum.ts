import { type Aggregator, normalizeGram } from "./aggregator.js";

/** The plain sum with fixed weights, default 1 each: what a joint objective minimises. `O(m)`. */
export function weightedSum(weights?: readonly number[]): Aggregator {
  return {
    name: "weightedSum",
    weigh: (gram) => {
      const { m } = normalizeGram("weightedSum", gram);
      if (weights && weights.length !== m) {
        throw new Error(`weightedSum: expected ${m} weights, one for each loss, got ${weights.length}`);
      }
      return { weights: Float64Array.from(weights ?? new Array(m).fill(1)) };
    },
  };
}
