import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram, unlessCancelled } from "./aggregator.js";
import { solvePositiveDefinite } from "./dense.js";

export interface NashMTLOptions {
  /** The direction's length is cut to this, greater than 0. Default 1, as published; without a limit it is `sqrt(m)`. */
  maxNorm?: number;
}

/** Added to the diagonal of the cosines: two opposite gradients would bargain without end. */
const ridge = 1e-12;

/**
 * Nash-MTL (Navon et al. 2022, algorithm 1): the Nash bargaining solution, whose weights solve `G w = 1 / w`. It conflicts with
 * no gradient and its direction does not change when a loss is scaled: the bargain is struck between unit gradients, whose
 * weights are then divided by the lengths. Its length follows `m` and not the gradients. A zero gradient has weight 0, and all
 * have where the gradients cancel, as opposite ones do.
 *
 * The weights minimise `w'Cw / 2 - sum log w`, which is convex and self-concordant: Newton's method with its damped step
 * converges from anywhere, so no cvxpy-like sequence of programs is needed, and weights need not be kept for several
 * steps. `O(m^3)` a step of Newton's, some ten.
 */
export function nashMTL(options: NashMTLOptions = {}): Aggregator {
  const { maxNorm = 1 } = checkOptions("nashMTL", options, { maxNorm: true });
  checkFloat("nashMTL: maxNorm", maxNorm, { above: 0 });
  return {
    name: "nashMTL",
    weigh: (raw, context) => {
      const clean = cleanGram("nashMTL", raw, context);
      const { m, norms, cosines } = clean;
      const present = Array.from(norms.keys()).filter((i) => norms[i] > 0);
      const weights = new Float64Array(m);
      const k = present.length;
      if (k === 0) return { weights };
      const matrix = Float64Array.from(
        { length: k * k },
        (_, at) =>
          cosines[present[Math.floor(at / k)] * m + present[at % k]] + (at % (k + 1) === 0 ? ridge : 0),
      );
      const w = bargain(matrix, k);
      let squared = 0;
      for (let at = 0; at < k * k; at++) squared += w[Math.floor(at / k)] * w[at % k] * matrix[at];
      const cut = Math.min(1, maxNorm / Math.sqrt(squared));
      for (const [at, i] of present.entries()) weights[i] = (w[at] * cut) / norms[i];
      return { weights: unlessCancelled(clean, weights) };
    },
  };
}

/** The positive solution of `A w = 1 / w`. */
function bargain(matrix: Float64Array, n: number): Float64Array {
  const w = new Float64Array(n).fill(1);
  for (let round = 0; round < 200; round++) {
    const slope = w.map((own, i) => w.reduce((sum, x, j) => sum + matrix[i * n + j] * x, 0) - 1 / own);
    const curvature = matrix.map((x, at) => x + (at % (n + 1) === 0 ? 1 / w[Math.floor(at / n)] ** 2 : 0));
    const step = solvePositiveDefinite(curvature, slope);
    const squared = step.reduce((sum, x, i) => sum + x * slope[i], 0);
    const decrement = Math.sqrt(Math.max(0, squared));
    const length = decrement > 0.25 ? 1 / (1 + decrement) : 1;
    for (let i = 0; i < n; i++) w[i] -= length * step[i];
    if (decrement < 1e-10) break;
  }
  return w;
}
