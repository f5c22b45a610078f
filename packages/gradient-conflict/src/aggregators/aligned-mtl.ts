import { checkChoice, checkOptions } from "../shared/check-options.js";
import { type Aggregator, cosinesOf, gramOfCosines, withoutEigenvalues } from "./aggregator.js";
import { eigenSymmetric } from "./dense.js";
import { preferenceOf } from "./preference.js";
import { significantEigen } from "./significant-eigen.js";

export interface AlignedMTLOptions {
  /** How much each loss counts, positive; default `1/m` each. */
  preference?: readonly number[];
  /** The eigenvalue that all are made equal to: the least (as published), the median, or their mean. Default `"min"`. */
  scaleMode?: "min" | "median" | "rmse";
}

/** Eigenvalues of inner products below this share of the largest count as zero: the rounding of float64. */
const rankTolerance = 1e-14;

/**
 * Aligned-MTL (Senushkin et al. 2023, algorithm 1): the gradients' principal components are made equally long, so that no direction
 * dominates, and then combined. Gradients that float32 cannot tell from dependent ones count as dependent; a short one counts in full.
 * `O(m^3)`.
 */
export function alignedMTL(options: AlignedMTLOptions = {}): Aggregator {
  const { preference, scaleMode = "min" } = checkOptions<AlignedMTLOptions>("alignedMTL", options, {
    preference: true,
    scaleMode: true,
  });
  checkChoice("alignedMTL: scaleMode", scaleMode, ["min", "median", "rmse"]);
  return {
    name: "alignedMTL",
    weigh: (gram, context) => {
      const { m, norms, cosines } = cosinesOf("alignedMTL", gram, context);
      const own = preferenceOf("alignedMTL", preference, m);
      // A kept eigenvalue that is rounding would become the least, and the step as short as it.
      const eigen = significantEigen(cosines, m);
      const rank = eigen.kept.length;
      const dropped = Array.from(eigen.values.keys()).filter((e) => !eigen.kept.includes(e));
      const { entries } = gramOfCosines(norms, withoutEigenvalues(cosines, { ...eigen, dropped }));
      const { values, vectors } = eigenSymmetric(entries, m);
      const least = Math.max(...values) * m * rankTolerance;
      const kept = Array.from(values.keys())
        .sort((a, b) => values[b] - values[a])
        .slice(0, rank)
        .filter((e) => values[e] > least);
      if (kept.length === 0) return { weights: own };
      const sorted = kept.map((e) => values[e]).sort((a, b) => a - b);
      const scale = {
        min: sorted[0],
        // PyTorch's median is the lower of the two in the middle.
        median: sorted[Math.floor((sorted.length - 1) / 2)],
        rmse: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
      }[scaleMode];
      const weights = new Float64Array(m);
      for (const e of kept) {
        let along = 0;
        for (let i = 0; i < m; i++) along += vectors[i * m + e] * own[i];
        for (let i = 0; i < m; i++) weights[i] += vectors[i * m + e] * along * Math.sqrt(scale / values[e]);
      }
      return { weights };
    },
  };
}
