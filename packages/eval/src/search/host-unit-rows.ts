import type * as tf from "@tensorflow/tfjs-core";

/**
 * Rows of length 1 in the host's memory, whatever their length was: each is divided by its largest magnitude first, so that no square over- or
 * underflows. A zero row stays zero.
 *
 * @param x `[n, dim]`, finite
 */
export async function hostUnitRows(x: tf.Tensor2D): Promise<Float32Array> {
  const [n, dim] = x.shape;
  // The backend may hand out its own memory.
  const rows = Float32Array.from((await x.data()) as Float32Array);
  for (let row = 0; row < n; row++) {
    const own = rows.subarray(row * dim, (row + 1) * dim);
    let largest = 0;
    for (let i = 0; i < dim; i++) largest = Math.max(largest, Math.abs(own[i]));
    if (largest === 0) continue;
    let sum = 0;
    for (let i = 0; i < dim; i++) sum += (own[i] / largest) ** 2;
    const inverse = 1 / Math.sqrt(sum);
    for (let i = 0; i < dim; i++) own[i] = (own[i] / largest) * inverse;
  }
  return rows;
}
