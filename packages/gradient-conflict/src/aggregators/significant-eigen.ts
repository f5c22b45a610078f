import { eigenSymmetric } from "./dense.js";

/**
 * Directions of the cosines below this share of the largest eigenvalue are left out: sums of float32 cannot tell them from zero, and
 * their inverse would be noise.
 */
const rankTolerance = 2e-6;

/**
 * Eigenvalues and eigenvectors of a symmetric positive semidefinite matrix of cosines, `m * m`. Cosines, unlike inner products, have
 * one rounding error for gradients of any length. `O(m^3)`.
 *
 * @returns as `eigenSymmetric`, and the places of the eigenvalues that are more than float32's rounding
 */
export function significantEigen(cosines: Float64Array, m: number) {
  const { values, vectors } = eigenSymmetric(cosines, m);
  const least = rankTolerance * m * Math.max(...values);
  return { values, vectors, kept: Array.from(values.keys()).filter((e) => values[e] > least) };
}
