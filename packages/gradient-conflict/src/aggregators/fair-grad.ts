import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram, unlessCancelled } from "./aggregator.js";
import { solvePositiveDefinite } from "./dense.js";

/**
 * FairGrad (Ban and Ji 2024, eq. 7): alpha-fair progress of the losses, the positive weights with `G w = w^(-1/alpha)`. `alpha = 0` is the
 * mean, 1 is proportional fairness, as in Nash-MTL, and large values serve the worst-served loss. A zero gradient has weight 0, and all have where the gradients cancel.
 * `O(m^3)` a step of Newton's.
 */
export function fairGrad(
  options: {
    /** How fair progress is, at least 0. Default 1. */
    alpha?: number;
  } = {},
): Aggregator {
  const { alpha = 1 } = checkOptions("fairGrad", options, { alpha: true });
  checkFloat("fairGrad: alpha", alpha, { min: 0 });
  return {
    name: "fairGrad",
    weigh: (gram, context) => {
      const clean = cleanGram("fairGrad", gram, context);
      const { m, norms, cosines } = clean;
      if (alpha === 0) return { weights: new Float64Array(m).fill(1 / m) };
      const present = Array.from(norms.keys()).filter((i) => norms[i] > 0);
      const k = present.length;
      const power = 1 / alpha;
      const longest = Math.max(...norms);
      const ratios = present.map((i) => norms[i] / longest);
      const matrix = Float64Array.from(
        { length: k * k },
        (_, at) =>
          cosines[present[Math.floor(at / k)] * m + present[at % k]] + (at % (k + 1) === 0 ? ridge : 0),
      );
      const v = solve(
        matrix,
        ratios.map((ratio) => Math.max(1e-280, ratio ** (power - 1))),
        power,
      );
      const weights = new Float64Array(m);
      const scale = longest ** (2 / (1 + power));
      for (const [at, i] of present.entries()) weights[i] = v[at] / ratios[at] / scale;
      return { weights: unlessCancelled(clean, weights) };
    },
  };
}

/** Added to the diagonal of the cosines: two opposite gradients would bargain without end. */
const ridge = 1e-12;

/**
 * The positive solution of `C v = b v^-power`, the minimum of a convex function, by Newton's method. With unit gradients `v_i = |g_i| w_i` and
 * `b_i = |g_i|^(power - 1)` it is that of `G w = w^-power`.
 */
function solve(matrix: Float64Array, b: number[], power: number): Float64Array {
  const n = b.length;
  const v = Float64Array.from(b, (value) => value ** (1 / (1 + power)));
  const residual = () =>
    v.map((own, i) => v.reduce((sum, value, j) => sum + matrix[i * n + j] * value, 0) - b[i] * own ** -power);
  for (let round = 0; round < 500; round++) {
    const slope = residual();
    // Relative to the two terms, which are equal at the solution.
    if (Math.max(0, ...slope.map((r, i) => Math.abs(r) / (b[i] * v[i] ** -power))) < 1e-12) break;
    const curvature = matrix.map((x, at) => {
      const i = Math.floor(at / n);
      return at % (n + 1) === 0 ? x + power * b[i] * v[i] ** (-power - 1) : x;
    });
    const step = solvePositiveDefinite(curvature, slope);
    // A step that keeps every weight above a tenth of itself: the function ends at 0.
    let length = 1;
    for (let i = 0; i < n; i++) if (step[i] > 0) length = Math.min(length, (0.9 * v[i]) / step[i]);
    for (let i = 0; i < n; i++) v[i] -= length * step[i];
  }
  return v;
}
