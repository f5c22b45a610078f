import { significantEigen } from "./significant-eigen.js";

/** `C^+ b` for a symmetric positive semidefinite matrix of cosines, `m * m`, by its significant eigenvectors. `O(m^3)`. */
export function pseudoInverseTimes(cosines: Float64Array, b: Float64Array): Float64Array {
  const m = b.length;
  const { values, vectors, kept } = significantEigen(cosines, m);
  const x = new Float64Array(m);
  for (const e of kept) {
    let along = 0;
    for (let i = 0; i < m; i++) along += b[i] * vectors[i * m + e];
    for (let i = 0; i < m; i++) x[i] += (vectors[i * m + e] * along) / values[e];
  }
  return x;
}
