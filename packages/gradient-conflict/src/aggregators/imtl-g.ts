import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram } from "./aggregator.js";
import { pseudoInverseTimes } from "./pseudo-inverse.js";

/** How far projections may be from equal before the gradients count as having no common one. */
const consistency = 1e-3;

/**
 * IMTL-G (Liu et al. 2021, "Towards Impartial Multi-task Learning"): the combination with equal projections onto all
 * gradients' directions, its weights summing to 1. In closed form `w_i ~ (C^+ 1)_i / |g_i|` with the matrix `C` of
 * cosines and its pseudo-inverse, which serves linearly dependent gradients too. `O(m^3)`.
 *
 * A zero gradient has weight 0, and weights may be negative. Where no direction has equal projections onto all gradients, as for
 * opposite ones, all weights are 0: the gradients share nothing.
 */
export function imtlG(options: Record<string, never> = {}): Aggregator {
  checkOptions("imtlG", options, {});
  return {
    name: "imtlG",
    weigh: (gram, context) => {
      const { m, norms, cosines } = cleanGram("imtlG", gram, context);
      const present = Float64Array.from(norms, (norm) => Number(norm > 0));
      const weights = pseudoInverseTimes(cosines, present);
      const isEqual = weights.every((_, i) => {
        const projection = weights.reduce((sum, w, j) => sum + w * cosines[i * m + j], 0);
        return present[i] === 0 || Math.abs(projection - 1) < consistency;
      });
      const longest = Math.max(...norms);
      const scaled = weights.map((w, i) => (present[i] ? w / (norms[i] / longest) : 0));
      const sum = scaled.reduce((total, w) => total + w, 0);
      const size = scaled.reduce((total, w) => total + Math.abs(w), 0);
      if (!isEqual || Math.abs(sum) <= 1e-9 * size) return { weights: new Float64Array(m) };
      return { weights: scaled.map((w) => w / sum) };
    },
  };
}
