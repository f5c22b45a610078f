import { checkNumber, checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram } from "./aggregator.js";
import { solvePositiveDefinite } from "./dense.js";

/**
 * FairGrad (Ban and Ji 2024, eq. 7): alpha-fair progress of the losses, the positive weights with `G w = w^(-1/alpha)`. `alpha = 0` is the
 * mean, 1 is proportional fairness, as in Nash-MTL, and large values serve the worst-served loss. A zero gradient has weight 0.
 * `O(m^3)` a step of Newton's.
 *
 * @param options `alpha`, at least 0, default 1
 */
export function fairGrad(options: { alpha?: number } = {}): Aggregator {
  const { alpha = 1 } = checkOptions("fairGrad", options, { alpha: true });
  checkNumber("fairGrad: alpha", alpha, { min: 0 });
  return {
    name: "fairGrad",
    weigh: (gram, context) => {
      const { m, norms, entries, trace } = cleanGram("fairGrad", gram, context);
      if (alpha === 0) return { weights: new Float64Array(m).fill(1 / m) };
      const present = Array.from(norms.keys()).filter((i) => norms[i] > 0);
      const k = present.length;
      const matrix = Float64Array.from(
        { length: k * k },
        (_, at) =>
          entries[present[Math.floor(at / k)] * m + present[at % k]] + (at % (k + 1) === 0 ? 1e-12 : 0),
      );
      const w = solve(matrix, 1 / alpha);
      // For the gradients as given G is `trace` times as large.
      const scale = trace ** (-1 / (1 + 1 / alpha));
      const weights = new Float64Array(m);
      for (const [at, i] of present.entries()) weights[i] = w[at] * scale;
      return { weights };
    },
  };
}

/** The positive solution of `A w = w^-power`, the minimum of a convex function, by Newton's method in the logarithm of `w`. */
function solve(matrix: Float64Array, power: number): Float64Array {
  const n = Math.sqrt(matrix.length);
  const w = Float64Array.from({ length: n }, (_, i) => matrix[i * (n + 1)] ** (-1 / (1 + power)));
  const residual = (x: Float64Array) =>
    x.map((own, i) => x.reduce((sum, value, j) => sum + matrix[i * n + j] * value, 0) - own ** -power);
  // w_i times its residual, relative to the two terms, which are equal at the solution.
  const error = (x: Float64Array) => Math.max(0, ...residual(x).map((r, i) => Math.abs(r) / x[i] ** -power));
  for (let round = 0; round < 500; round++) {
    const slope = residual(w);
    if (error(w) < 1e-12) break;
    const curvature = matrix.map((x, at) =>
      at % (n + 1) === 0 ? x + power * w[Math.floor(at / n)] ** (-power - 1) : x,
    );
    const step = solvePositiveDefinite(curvature, slope);
    // A step that keeps every weight above a tenth of itself: the function ends at 0.
    let length = 1;
    for (let i = 0; i < n; i++) if (step[i] > 0) length = Math.min(length, (0.9 * w[i]) / step[i]);
    for (let i = 0; i < n; i++) w[i] -= length * step[i];
  }
  return w;
}
