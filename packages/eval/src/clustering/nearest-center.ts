import * as tf from "@tensorflow/tfjs-core";

/** Products of points and centres that are in memory at a time. */
const blockSize = 2 ** 22;

/**
 * The nearest of the centres for each row; the first of those that are equally near.
 *
 * @param rows `[n, dim]`. @param centers `k x dim`
 */
export async function nearestCenters(rows: tf.Tensor2D, centers: Float64Array): Promise<Int32Array> {
  const [n, dim] = rows.shape;
  const k = centers.length / dim;
  const half = Float32Array.from({ length: k }, (_, c) => {
    let sum = 0;
    for (let j = c * dim; j < (c + 1) * dim; j++) sum += centers[j] * centers[j];
    return sum / 2;
  });
  const c = tf.tensor2d(Float32Array.from(centers), [k, dim]);
  const halfNorms = tf.tensor1d(half);
  const nearest = new Int32Array(n);
  const count = Math.max(1, Math.floor(blockSize / k));
  try {
    for (let start = 0; start < n; start += count) {
      const block = tf.tidy(() => {
        const part = n <= count ? rows : tf.slice(rows, [start, 0], [Math.min(count, n - start), -1]);
        // |x - c|^2 is least where x c - |c|^2 / 2 is greatest.
        return tf.argMax(tf.sub(tf.matMul(part, c, false, true), halfNorms), 1);
      });
      nearest.set(await block.data(), start);
      block.dispose();
    }
  } finally {
    tf.dispose([c, halfNorms]);
  }
  return nearest;
}
