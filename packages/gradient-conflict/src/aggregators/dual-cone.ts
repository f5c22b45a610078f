import type { CleanGram } from "./aggregator.js";
import { nonNegativeQuadraticProgram } from "./quadratic-program.js";

/**
 * The weights of the projection of `sum_i w_i g_i` onto the dual cone of the gradients, the directions that conflict with none: those
 * of the shortest combination whose weights are at least `w`.
 *
 * The problem is posed for unit gradients, so that `regularization`, which is added to the diagonal of their cosines and makes the
 * solution unique, means the same for a short gradient as for a long one.
 *
 * @param w at least 0, one for each loss
 */
export function projectOntoDualCone(
  { m, norms, cosines }: CleanGram,
  w: ArrayLike<number>,
  regularization: number,
): Float64Array {
  const matrix = cosines.map((x, at) => x + (at % (m + 1) === 0 ? regularization : 0));
  const longest = Math.max(...norms);
  // Weights of unit gradients, in units of the longest gradient.
  const own = norms.map((norm, i) => (longest > 0 ? (w[i] * norm) / longest : 0));
  const slope = Float64Array.from({ length: m }, (_, k) =>
    own.reduce((sum, x, i) => sum + x * matrix[k * m + i], 0),
  );
  const more = nonNegativeQuadraticProgram(matrix, slope);
  return Float64Array.from({ length: m }, (_, i) =>
    norms[i] > 0 ? w[i] + more[i] * (longest / norms[i]) : w[i],
  );
}
