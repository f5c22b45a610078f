import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { type Aggregator, cosinesOf, lossesOf, memoryOf, nameOf } from "./aggregator.js";

export interface GradNormOptions {
  /** How strongly losses that train slowly are favoured, at least 0. Default 1.5. */
  alpha?: number;
  /** Learning rate of the weights, greater than 0. Default 0.025. */
  learningRate?: number;
}

/**
 * GradNorm (Chen et al. 2018, algorithm 1): the weights follow the gradient of `sum_i | w_i |g_i| - mean(w |g|) r_i^alpha |`, where `r_i` is the
 * loss's share of its first value over the mean share, by steps that change a weight by a factor e at most, and are kept at a sum of `m`. Its memory is the first losses and the weights.
 * Needs `context.losses`, each at least 0 and at the first step greater. `O(m)` beside the norms.
 */
export function gradNorm(options: GradNormOptions = {}): Aggregator {
  const { alpha = 1.5, learningRate = 0.025 } = checkOptions<GradNormOptions>("gradNorm", options, {
    alpha: true,
    learningRate: true,
  });
  checkFloat("gradNorm: alpha", alpha, { min: 0 });
  checkFloat("gradNorm: learningRate", learningRate, { above: 0 });
  return {
    name: "gradNorm",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const { m, norms } = cosinesOf("gradNorm", gram, context);
      const losses = lossesOf("gradNorm", context, { m, min: 0 });
      const memory = memoryOf("gradNorm", context, 2 * m);
      const first = memory?.slice(0, m) ?? Array.from(losses);
      // Later losses may be 0, as a hinge's is; the first ones divide them.
      for (const [i, loss] of first.entries()) {
        checkNumber(`gradNorm: the first value of loss ${nameOf(context, i)}`, loss, { above: 0 });
      }
      const weights = Float64Array.from(memory?.slice(m) ?? new Array(m).fill(1));
      const shares = first.map((value, i) => losses[i] / value);
      const meanShare = shares.reduce((sum, share) => sum + share, 0) / m;
      const meanNorm = norms.reduce((sum, norm, i) => sum + weights[i] * norm, 0) / m;
      const next = weights.map((weight, i) => {
        const target = meanNorm * (meanShare > 0 ? shares[i] / meanShare : 1) ** alpha;
        const step = learningRate * norms[i] * Math.sign(weight * norms[i] - target);
        // The step is as long as the gradient: without a bound a gradient of 1e4 would throw its weight from end to end.
        return Math.min(weight * Math.E, Math.max(1e-6, weight / Math.E, weight - step));
      });
      const sum = next.reduce((total, weight) => total + weight, 0);
      return { weights, memory: [...first, ...next.map((weight) => (weight * m) / sum)] };
    },
  };
}
