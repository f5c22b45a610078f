import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram, unlessCancelled } from "./aggregator.js";
import { preferenceOf } from "./preference.js";
import { pseudoInverseTimes } from "./pseudo-inverse.js";

export interface ConFIGOptions {
  /** How much each loss counts, positive: the cosines are in proportion to it. Default: all alike. */
  preference?: readonly number[];
}

/**
 * ConFIG (Liu et al. 2024, "Conflict-free training of physics-informed neural networks", eq. 2 and 3): the direction with equal cosines to
 * all gradients, as long as the sum of the gradients' projections on it. A zero gradient has weight 0. `O(m^3)`.
 *
 * There is such a direction where the gradients are linearly independent. Where they are not, as always with more losses than parameters,
 * the cosines are equal in the sense of least squares, by the pseudo-inverse as in TorchJD, and the direction may conflict with some
 * gradients; `upgrad`, `dualProj` and `mgda` do not. Where the gradients cancel, as two opposite ones do, all weights are 0.
 */
export function conFIG(options: ConFIGOptions = {}): Aggregator {
  const { preference } = checkOptions<ConFIGOptions>("conFIG", options, { preference: true });
  return {
    name: "conFIG",
    weigh: (gram, context) => {
      const clean = cleanGram("conFIG", gram, context);
      const { m, norms, cosines } = clean;
      const own = preferenceOf("conFIG", preference, m);
      const most = Math.max(...own);
      // The length does not depend on the unit of the preference.
      const wanted = Float64Array.from(norms, (norm, i) => (norm > 0 ? own[i] / most : 0));
      const x = pseudoInverseTimes(cosines, wanted);
      const projections = x.map((_, i) => x.reduce((sum, value, j) => sum + value * cosines[i * m + j], 0));
      const squared = x.reduce((sum, value, i) => sum + value * projections[i], 0);
      if (!(squared > 1e-12)) return { weights: new Float64Array(m) };
      const length = projections.reduce((sum, projection, i) => sum + projection * norms[i], 0) / squared;
      const weights = x.map((value, i) => (norms[i] > 0 ? (value * length) / norms[i] : 0));
      return { weights: unlessCancelled(clean, weights) };
    },
  };
}
