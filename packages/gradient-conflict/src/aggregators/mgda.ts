import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram } from "./aggregator.js";
import { shortestConvexCombination } from "./quadratic-program.js";

/**
 * MGDA (Désidéri 2012; Sener and Koltun 2018, eq. 3): the shortest convex combination of the gradients, which conflicts
 * with none, and is zero where no direction serves all. Solved exactly instead of by Frank-Wolfe's iteration. `O(m^4)`.
 */
export function mgda(options: Record<string, never> = {}): Aggregator {
  checkOptions("mgda", options, {});
  return {
    name: "mgda",
    weigh: (gram, context) => {
      const { m, trace, entries } = cleanGram("mgda", gram, context);
      if (trace === 0) return { weights: new Float64Array(m).fill(1 / m) };
      return { weights: shortestConvexCombination(entries, m) };
    },
  };
}
