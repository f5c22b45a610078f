import type * as tf from "@tensorflow/tfjs-core";

/**
 * Rows of length 1 in the host's memory, whatever their length was. A zero row stays zero.
 *
 * @param x `[n, dim]`, finite
 */
export async function hostUnitRows(x: tf.Tensor2D): Promise<Float32Array> {
  const [n, dim] = x.shape;
  // The backend may hand out its own memory.
  const rows = Float32Array.from((await x.data()) as Float32Array);
  for (let row = 0; row < n; row++) {
    const end = (row + 1) * dim;
    // JavaScript adds in float64, which holds the square of every float32.
    let sum = 0;
    for (let at = row * dim; at < end; at++) sum += rows[at] * rows[at];
    if (sum === 0) continue;
    const inverse = 1 / Math.sqrt(sum);
    for (let at = row * dim; at < end; at++) rows[at] *= inverse;
  }
  return rows;
}
