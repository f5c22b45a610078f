import { checkNumber, checkOptions } from "../shared/check-options.js";
import { type Aggregator, checkGram } from "./aggregator.js";
import { seededNumbers } from "./shuffled.js";
import { softmax } from "./simplex.js";

/**
 * Random loss weighting (Lin et al. 2021, algorithm 2): the softmax of standard normal numbers, drawn anew at each step from the seed and
 * the step only. `O(m)`.
 */
export function randomWeighting(
  options: {
    /** An integer of at least 0. Default 0. */
    seed?: number;
  } = {},
): Aggregator {
  const { seed = 0 } = checkOptions("randomWeighting", options, { seed: true });
  checkNumber("randomWeighting: seed", seed, { min: 0, integer: true });
  return {
    name: "randomWeighting",
    weigh: (gram, context = {}) => {
      const m = checkGram("randomWeighting", gram, context);
      const next = seededNumbers([seed, context.step ?? 0, 0]);
      // Box and Muller's transform.
      const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
      return { weights: softmax(Float64Array.from({ length: m }, normal)) };
    },
  };
}
