import { type Aggregator, normalizeGram } from "./aggregator.js";
import { nonNegativeQuadraticProgram } from "./quadratic-program.js";

export interface UPGradOptions {
  /** How much each loss counts, positive; default `1/m` each. */
  preference?: readonly number[];
  /** Added to the diagonal of the Gram matrix of trace 1; makes the projection unique. Default 1e-6. */
  regularization?: number;
}

/**
 * UPGrad (Quinton and Rey 2024, proposition 1): each gradient is projected onto the cone of directions that
 * conflict with none, and the projections are averaged. It conflicts with no gradient and, unlike MGDA, grows linearly
 * with each. `m` exact quadratic programs, `O(m^5)`.
 */
export function upgrad({ preference, regularization = 1e-6 }: UPGradOptions = {}): Aggregator {
  if (!(regularization > 0)) {
    throw new Error(`upgrad: regularization must be positive, got ${regularization}`);
  }
  return {
    name: "upgrad",
    weigh: (gram) => {
      const { m, entries } = normalizeGram("upgrad", gram);
      if (preference && (preference.length !== m || !preference.every((p) => p > 0))) {
        throw new Error(
          `upgrad: preference must have ${m} positive entries, one for each loss, got [${preference}]`,
        );
      }
      const matrix = entries.map((x, at) => x + (at % (m + 1) === 0 ? regularization : 0));
      const weights = new Float64Array(m);
      for (let i = 0; i < m; i++) {
        const own = preference?.[i] ?? 1 / m;
        // The projection's weights are at least `own` at i and 0 elsewhere; what they exceed it by is the unknown.
        const more = nonNegativeQuadraticProgram(
          matrix,
          Float64Array.from({ length: m }, (_, k) => own * matrix[i * m + k]),
        );
        weights[i] += own;
        for (let k = 0; k < m; k++) weights[k] += more[k];
      }
      return { weights };
    },
  };
}
