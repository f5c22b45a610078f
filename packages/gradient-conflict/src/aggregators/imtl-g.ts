import { type Aggregator, normalizeGram } from "./aggregator.js";
import { eigenSymmetric } from "./dense.js";

/** Of the largest eigenvalue of the cosines: what float32 sums cannot tell from zero. */
const rankTolerance = 1e-7;

/**
 * IMTL-G (Liu et al. 2021, "Towards Impartial Multi-task Learning"): the combination with equal projections onto all
 * gradients' directions, its weights summing to 1. In closed form `w_i ~ (C^+ 1)_i / |g_i|` with the matrix `C` of
 * cosines and its pseudo-inverse, which serves linearly dependent gradients too. A zero gradient has weight 0; weights
 * may be negative, and all are 0 where they sum to none. `O(m^3)`.
 */
export function imtlG(): Aggregator {
  return {
    name: "imtlG",
    weigh: (gram) => {
      const { m, at } = normalizeGram("imtlG", gram);
      const norms = Array.from({ length: m }, (_, i) => Math.sqrt(Math.max(0, at(i, i))));
      // Cosines and not inner products: gradients of very different lengths would look linearly dependent.
      const cosines = Float64Array.from({ length: m * m }, (_, k) => {
        const [i, j] = [Math.floor(k / m), k % m];
        return norms[i] > 0 && norms[j] > 0 ? at(i, j) / norms[i] / norms[j] : 0;
      });
      const { values, vectors } = eigenSymmetric(cosines, m);
      const least = rankTolerance * m * Math.max(...values);
      const weights = new Float64Array(m);
      for (let e = 0; e < m; e++) {
        if (!(values[e] > least)) continue;
        let along = 0;
        for (let i = 0; i < m; i++) along += norms[i] > 0 ? vectors[i * m + e] : 0;
        for (let i = 0; i < m; i++) weights[i] += (vectors[i * m + e] * along) / values[e];
      }
      for (let i = 0; i < m; i++) weights[i] = norms[i] > 0 ? weights[i] / norms[i] : 0;
      const sum = weights.reduce((total, w) => total + w, 0);
      const size = weights.reduce((total, w) => total + Math.abs(w), 0);
      return { weights: Math.abs(sum) <= 1e-9 * size ? weights.fill(0) : weights.map((w) => w / sum) };
    },
  };
}
