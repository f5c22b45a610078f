import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, checkGram, lossesOf, memoryOf } from "./aggregator.js";
import { boundedStep } from "./bounded-step.js";

/**
 * IMTL-L (Liu et al. 2021, "Towards Impartial Multi-task Learning", section 3.2): weights `e^s` whose logarithms are trained to minimise
 * `e^s L - s`, from 0 and by gradient steps of at most 1, so that all weighted losses come to 1. Its memory is `s`. Needs
 * `context.losses`, each at least 0: the weight of a negative one would grow without bound. `O(m)`.
 */
export function imtlL(
  options: {
    /** Learning rate of the logarithms, greater than 0. Default 0.01. */
    learningRate?: number;
  } = {},
): Aggregator {
  const { learningRate = 0.01 } = checkOptions("imtlL", options, { learningRate: true });
  checkFloat("imtlL: learningRate", learningRate, { above: 0 });
  return {
    name: "imtlL",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const m = checkGram("imtlL", gram, context);
      const losses = lossesOf("imtlL", context, { m, min: 0 });
      const s = memoryOf("imtlL", context, m) ?? new Array<number>(m).fill(0);
      const weights = Float64Array.from(s, Math.exp);
      const memory = s.map((value, i) => value - boundedStep(learningRate * (losses[i] * weights[i] - 1)));
      return { weights, memory };
    },
  };
}
