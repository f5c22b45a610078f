import { type Aggregator, normalizeGram } from "./aggregator.js";
import { shortestConvexCombination } from "./quadratic-program.js";

export interface CAGradOptions {
  /** How far the direction may leave the mean gradient, as a share of its length, at least 0. Default 0.5. */
  c?: number;
}

/** A combination shorter than this share of all gradients together counts as none: no direction serves all losses. */
const stationary = 1e-6;

/**
 * CAGrad (Liu et al. 2021, "Conflict-Averse Gradient Descent", algorithm 1): the direction within `c |g_0|` of the mean gradient `g_0` that serves the
 * worst-served loss best, `g_0 + c |g_0| g_w / |g_w|` with `w` in the simplex minimising `g_w . g_0 + c |g_0| |g_w|`.
 * With `c = 0` it is the mean; with `c >= 1` it conflicts with no gradient. Zero where no direction serves all losses.
 *
 * For a given length `eta` of `g_w` the problem is the shortest convex combination of `g_i + eta / (c |g_0|) g_0`; the
 * length is found by bisection, as the problem is convex in it. `O(m^4)` times some 60.
 */
export function cagrad({ c = 0.5 }: CAGradOptions = {}): Aggregator {
  if (!(c >= 0 && Number.isFinite(c))) throw new Error(`cagrad: c must be a number of at least 0, got ${c}`);
  return {
    name: "cagrad",
    weigh: (raw) => {
      const { m, entries: gram } = normalizeGram("cagrad", raw);
      const toMean = Float64Array.from(
        { length: m },
        (_, i) => gram.subarray(i * m, (i + 1) * m).reduce((s, x) => s + x, 0) / m,
      );
      const meanSquared = Math.max(0, toMean.reduce((s, x) => s + x, 0) / m);
      const radius = c * Math.sqrt(meanSquared);
      const mean = new Float64Array(m).fill(1 / m);
      if (radius === 0) return { weights: mean };
      const at = (eta: number) => {
        const shift = eta / radius;
        const shifted = gram.map(
          (x, k) => x + shift * (toMean[Math.floor(k / m)] + toMean[k % m]) + shift ** 2 * meanSquared,
        );
        const w = shortestConvexCombination(shifted, m);
        let squared = 0;
        for (let k = 0; k < m * m; k++) squared += w[Math.floor(k / m)] * w[k % m] * gram[k];
        return { w, length: Math.sqrt(Math.max(0, squared)) };
      };
      let [low, high] = [0, 1];
      for (let round = 0; round < 60; round++) {
        const eta = (low + high) / 2;
        if (at(eta).length > eta) low = eta;
        else high = eta;
      }
      const { w, length } = at((low + high) / 2);
      if (length < stationary) return { weights: new Float64Array(m) };
      return { weights: mean.map((x, i) => x + (radius / length) * w[i]) };
    },
  };
}
