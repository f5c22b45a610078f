import { checkNumber, checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram } from "./aggregator.js";
import { shortestConvexCombination } from "./quadratic-program.js";

export interface CAGradOptions {
  /** How far the direction may leave the mean gradient, as a share of its length, at least 0. Default 0.5. */
  c?: number;
}

/** A combination shorter than this share of the gradients in it counts as none: no direction serves all losses. */
const stationary = 1e-5;

/**
 * CAGrad (Liu et al. 2021, "Conflict-Averse Gradient Descent", algorithm 1): the direction within `c |g_0|` of the mean gradient `g_0` that serves the
 * worst-served loss best, `g_0 + c |g_0| g_w / |g_w|` with `w` in the simplex minimising `g_w . g_0 + c |g_0| |g_w|`.
 * With `c = 0` it is the mean; with `c >= 1` it conflicts with no gradient. Zero where no direction serves all losses.
 *
 * A loss whose gradient is zero cannot be served, so it has no part in `g_w`; it counts in the mean.
 *
 * For a given length `eta` of `g_w` the problem is the shortest convex combination of `g_i + eta / (c |g_0|) g_0`; the
 * length is found by bisection, as the problem is convex in it. `O(m^4)` times some 60.
 */
export function cagrad(options: CAGradOptions = {}): Aggregator {
  const { c = 0.5 } = checkOptions("cagrad", options, { c: true });
  checkNumber("cagrad: c", c, { min: 0 });
  return {
    name: "cagrad",
    weigh: (raw, context) => {
      const { m, norms, entries } = cleanGram("cagrad", raw, context);
      const mean = new Float64Array(m).fill(1 / m);
      const toMean = Float64Array.from(
        { length: m },
        (_, i) => entries.subarray(i * m, (i + 1) * m).reduce((s, x) => s + x, 0) / m,
      );
      const meanSquared = Math.max(0, toMean.reduce((s, x) => s + x, 0) / m);
      const radius = c * Math.sqrt(meanSquared);
      const served = Array.from(norms.keys()).filter((i) => norms[i] > 0);
      if (radius === 0 || served.length === 0) return { weights: mean };
      const k = served.length;
      const gram = Float64Array.from(
        { length: k * k },
        (_, at) => entries[served[Math.floor(at / k)] * m + served[at % k]],
      );
      const onMean = served.map((i) => toMean[i]);
      const solve = (eta: number) => {
        const shift = eta / radius;
        const shifted = gram.map(
          (x, at) => x + shift * (onMean[Math.floor(at / k)] + onMean[at % k]) + shift ** 2 * meanSquared,
        );
        const w = shortestConvexCombination(shifted, new Float64Array(k).fill(1));
        let squared = 0;
        for (let at = 0; at < k * k; at++) squared += w[Math.floor(at / k)] * w[at % k] * gram[at];
        const parts = w.reduce((sum, x, i) => sum + x * x * gram[i * (k + 1)], 0);
        return { w, length: Math.sqrt(Math.max(0, squared)), parts: Math.sqrt(parts) };
      };
      let [low, high] = [0, 1];
      for (let round = 0; round < 60; round++) {
        const eta = (low + high) / 2;
        if (solve(eta).length > eta) low = eta;
        else high = eta;
      }
      const { w, length, parts } = solve((low + high) / 2);
      if (length <= stationary * parts) return { weights: new Float64Array(m) };
      const weights = mean;
      for (const [at, i] of served.entries()) weights[i] += (radius / length) * w[at];
      return { weights };
    },
  };
}
