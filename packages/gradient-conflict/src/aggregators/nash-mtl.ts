import { type Aggregator, normalizeGram } from "./aggregator.js";
import { solvePositiveDefinite } from "./dense.js";

export interface NashMTLOptions {
  /** The direction's length is cut to this, positive. Default 1, as published; without a limit it is `sqrt(m)`. */
  maxNorm?: number;
}

/** Added to the Gram matrix of trace 1: a zero gradient, or two opposite ones, would bargain without end. */
const ridge = 1e-12;

/**
 * Nash-MTL (Navon et al. 2022, algorithm 1): the Nash bargaining solution, whose weights solve `G w = 1 / w`. It conflicts with
 * no gradient and its direction does not change when a loss is scaled. Its length follows `m` and not the gradients.
 *
 * The weights minimise `w'Gw / 2 - sum log w`, which is convex and self-concordant: Newton's method with its damped step
 * converges from anywhere, so no cvxpy-like sequence of programs is needed, and weights need not be kept for several
 * steps. `O(m^3)` a step of Newton's, some ten.
 */
export function nashMTL({ maxNorm = 1 }: NashMTLOptions = {}): Aggregator {
  if (!(maxNorm > 0)) throw new Error(`nashMTL: maxNorm must be positive, got ${maxNorm}`);
  return {
    name: "nashMTL",
    weigh: (raw) => {
      const { m, trace, entries } = normalizeGram("nashMTL", raw);
      if (trace === 0) return { weights: new Float64Array(m).fill(1 / m) };
      const gram = entries.map((x, at) => x + (at % (m + 1) === 0 ? ridge : 0));
      const w = Float64Array.from({ length: m }, (_, i) => 1 / Math.sqrt(gram[i * (m + 1)]));
      for (let round = 0; round < 200; round++) {
        const slope = w.map((own, i) => w.reduce((sum, x, j) => sum + gram[i * m + j] * x, 0) - 1 / own);
        const curvature = gram.map((x, at) => x + (at % (m + 1) === 0 ? 1 / w[Math.floor(at / m)] ** 2 : 0));
        const step = solvePositiveDefinite(curvature, slope);
        const decrement = Math.sqrt(
          Math.max(
            0,
            step.reduce((sum, x, i) => sum + x * slope[i], 0),
          ),
        );
        const length = decrement > 0.25 ? 1 / (1 + decrement) : 1;
        for (let i = 0; i < m; i++) w[i] -= length * step[i];
        if (decrement < 1e-10) break;
      }
      // For the gradients as given G is `trace` times as large, and the weights shorter by its root.
      let squared = 0;
      for (let at = 0; at < m * m; at++) squared += w[Math.floor(at / m)] * w[at % m] * gram[at];
      const cut = Math.min(1, maxNorm / Math.sqrt(squared));
      return { weights: w.map((x) => (x * cut) / Math.sqrt(trace)) };
    },
  };
}
