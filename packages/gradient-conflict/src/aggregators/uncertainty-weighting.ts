import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, checkGram, lossesOf, memoryOf } from "./aggregator.js";
import { boundedStep } from "./bounded-step.js";

/**
 * Uncertainty weighting (Kendall et al. 2018, eq. 7): weights `1 / (2 e^s)` whose log-variances `s` are trained to minimise
 * `L / (2 e^s) + s / 2`, from -0.5 as in LibMTL, by gradient steps of at most 1. Its memory is `s`. Needs `context.losses`, each at
 * least 0: the weight of a negative one would grow without bound. `O(m)`.
 */
export function uncertaintyWeighting(
  options: {
    /** Learning rate of the log-variances, greater than 0. Default 0.01. */
    learningRate?: number;
  } = {},
): Aggregator {
  const { learningRate = 0.01 } = checkOptions("uncertaintyWeighting", options, { learningRate: true });
  checkFloat("uncertaintyWeighting: learningRate", learningRate, { above: 0 });
  return {
    name: "uncertaintyWeighting",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const m = checkGram("uncertaintyWeighting", gram, context);
      const losses = lossesOf("uncertaintyWeighting", context, { m, min: 0 });
      const s = memoryOf("uncertaintyWeighting", context, m) ?? new Array<number>(m).fill(-0.5);
      const weights = Float64Array.from(s, (value) => 1 / (2 * Math.exp(value)));
      const memory = s.map((value, i) => value - boundedStep(learningRate * (0.5 - losses[i] * weights[i])));
      return { weights, memory };
    },
  };
}
