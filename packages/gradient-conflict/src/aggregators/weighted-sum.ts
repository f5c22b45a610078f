import { checkFloats } from "../shared/check-float.js";
import { type Aggregator, checkGram } from "./aggregator.js";

/** The plain sum with fixed weights, default 1 each: what a joint objective minimises. `O(m)`. */
export function weightedSum(weights?: readonly number[]): Aggregator {
  if (weights !== undefined) checkFloats("weightedSum: weights", weights);
  return {
    name: "weightedSum",
    weigh: (gram, context) => {
      const m = checkGram("weightedSum", gram, context);
      if (weights && weights.length !== m) {
        throw new Error(`weightedSum: expected ${m} weights, one for each loss, got ${weights.length}`);
      }
      return { weights: Float64Array.from(weights ?? new Array(m).fill(1)) };
    },
  };
}
