import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { type Aggregator, cosinesOf, memoryOf } from "./aggregator.js";
import { preferenceOf } from "./preference.js";
import { projectOntoSimplex } from "./simplex.js";

export interface SDMGradOptions {
  /** Learning rate of the weights, greater than 0. Default 10. */
  learningRate?: number;
  /** In [0, 1). Default 0.5. */
  momentum?: number;
  /** Steps of the weights in each step, at least 1. Default 20. */
  iterations?: number;
  /** Weight of the preferred direction, at least 0. Default 0.3. */
  lambda?: number;
  /** How much each loss counts in the preferred direction; default `1/m` each. */
  preference?: readonly number[];
}

/**
 * SDMGrad (Xiao et al. 2023, algorithm 1): direction-oriented multi-objective descent, `(sum_i w_i g_i + lambda g_0) / (1 + lambda)` with `w`
 * in the simplex, improved by projected gradient steps that go on from the last step's weights. The same gradients serve the weights and
 * the direction, as in TorchJD. Its memory is the weights. `O(m^2)` for each iteration.
 */
export function sdmGrad(options: SDMGradOptions = {}): Aggregator {
  const {
    learningRate = 10,
    momentum = 0.5,
    iterations = 20,
    lambda = 0.3,
    preference,
  } = checkOptions<SDMGradOptions>("sdmGrad", options, {
    learningRate: true,
    momentum: true,
    iterations: true,
    lambda: true,
    preference: true,
  });
  checkFloat("sdmGrad: learningRate", learningRate, { above: 0 });
  checkNumber("sdmGrad: momentum", momentum, { min: 0, below: 1 });
  checkNumber("sdmGrad: iterations", iterations, { min: 1, integer: true });
  checkFloat("sdmGrad: lambda", lambda, { min: 0 });
  return {
    name: "sdmGrad",
    weigh: (gram, context = {}) => {
      const { m, norms, cosines } = cosinesOf("sdmGrad", gram, context);
      const preferred = preferenceOf("sdmGrad", preference, m);
      const longest = Math.max(...norms);
      const ratios = norms.map((norm) => (longest > 0 ? norm / longest : 0));
      const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / m;
      const a = cosines.map((cosine, at) =>
        mean > 0 ? (cosine * ratios[Math.floor(at / m)] * ratios[at % m]) / mean ** 2 : 0,
      );
      let w = Float64Array.from(memoryOf("sdmGrad", context, m) ?? new Array(m).fill(1 / m));
      let velocity: Float64Array | undefined;
      for (let round = 0; round < iterations; round++) {
        const point = w.map((value, i) => value + lambda * preferred[i]);
        const slope = point.map((_, i) => point.reduce((sum, value, j) => sum + a[i * m + j] * value, 0));
        const last = velocity;
        velocity = last ? slope.map((value, i) => momentum * last[i] + value) : slope;
        const next = velocity;
        w = projectOntoSimplex(
          w.map((value, i) => value - learningRate * next[i]),
        ) as Float64Array<ArrayBuffer>;
      }
      const weights = w.map((value, i) => (value + lambda * preferred[i]) / (1 + lambda));
      return { weights, memory: Array.from(w) };
    },
  };
}
