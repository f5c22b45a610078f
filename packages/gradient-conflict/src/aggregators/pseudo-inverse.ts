import { eigenSymmetric } from "./dense.js";

/**
 * Directions of the cosines below this share of the largest eigenvalue are left out: sums of float32 cannot tell them from zero, and
 * their inverse would be noise.
 */
const rankTolerance = 2e-6;

/** `C^+ b` for a symmetric positive semidefinite matrix of cosines, `m * m`, by its eigenvectors. `O(m^3)`. */
export function pseudoInverseTimes(cosines: Float64Array, b: Float64Array): Float64Array {
  const m = b.length;
  const { values, vectors } = eigenSymmetric(cosines, m);
  const least = rankTolerance * m * Math.max(...values);
  const x = new Float64Array(m);
  for (let e = 0; e < m; e++) {
    if (!(values[e] > least)) continue;
    let along = 0;
    for (let i = 0; i < m; i++) along += b[i] * vectors[i * m + e];
    for (let i = 0; i < m; i++) x[i] += (vectors[i * m + e] * along) / values[e];
  }
  return x;
}
