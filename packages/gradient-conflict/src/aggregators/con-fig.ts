import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram, unlessCancelled } from "./aggregator.js";
import { pseudoInverseTimes } from "./pseudo-inverse.js";

/**
 * ConFIG (Liu et al. 2024, "Conflict-free training of physics-informed neural networks", eq. 2 and 3): the direction with equal cosines to
 * all gradients, as long as the sum of the gradients' projections on it. A zero gradient has weight 0. `O(m^3)`.
 */
export function conFIG(options: Record<string, never> = {}): Aggregator {
  checkOptions("conFIG", options, {});
  return {
    name: "conFIG",
    weigh: (gram, context) => {
      const clean = cleanGram("conFIG", gram, context);
      const { m, norms, cosines } = clean;
      const present = Float64Array.from(norms, (norm) => Number(norm > 0));
      const x = pseudoInverseTimes(cosines, present);
      const projections = x.map((_, i) => x.reduce((sum, value, j) => sum + value * cosines[i * m + j], 0));
      const squared = x.reduce((sum, value, i) => sum + value * projections[i], 0);
      if (!(squared > 1e-12)) return { weights: new Float64Array(m) };
      const length = projections.reduce((sum, projection, i) => sum + projection * norms[i], 0) / squared;
      const weights = x.map((value, i) => (present[i] ? (value * length) / norms[i] : 0));
      return { weights: unlessCancelled(clean, weights) };
    },
  };
}
