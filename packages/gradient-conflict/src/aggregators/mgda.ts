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
      const { norms, cosines } = cleanGram("mgda", gram, context);
      const zeros = norms.reduce((count, norm) => count + Number(norm === 0), 0);
      // A zero gradient is the shortest combination.
      if (zeros > 0) return { weights: Float64Array.from(norms, (norm) => (norm === 0 ? 1 / zeros : 0)) };
      return { weights: shortestConvexCombination(cosines, norms) };
    },
  };
}
