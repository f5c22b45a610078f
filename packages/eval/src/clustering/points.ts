import * as tf from "@tensorflow/tfjs-core";

/** Rows as k-means takes them: their mean is 0 and their largest magnitude near 1, so that squares keep their digits. */
export interface Points {
  /** `[n, dim]`, on the device. */
  tensor: tf.Tensor2D;
  /** The same numbers. */
  data: Float32Array;
  n: number;
  dim: number;
  /** Squared length of each row. */
  squaredNorms: Float64Array;
  /** Mean over columns of their variance. */
  meanVariance: number;
  /** A row is `x * scale + mean` in the unit of the features. */
  mean: Float64Array;
  scale: number;
}

/** Centres and scales rows. The scale is a power of two, so that no digit depends on the unit. The caller disposes `tensor`. */
export async function toPoints(x: tf.Tensor2D): Promise<Points> {
  const [n, dim] = x.shape;
  const rows = await x.data();
  let largest = 0;
  for (let i = 0; i < rows.length; i++) largest = Math.max(largest, Math.abs(rows[i]));
  const scale = largest > 0 ? 2 ** Math.floor(Math.log2(largest)) : 1;
  const mean = new Float64Array(dim);
  for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < dim; j++) mean[j] += rows[at++] / scale;
  for (let j = 0; j < dim; j++) mean[j] /= n;
  const data = new Float32Array(n * dim);
  const squaredNorms = new Float64Array(n);
  let total = 0;
  for (let i = 0, at = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < dim; j++, at++) {
      data[at] = rows[at] / scale - mean[j];
      sum += data[at] * data[at];
    }
    squaredNorms[i] = sum;
    total += sum;
  }
  const tensor = tf.tensor2d(data, [n, dim]);
  return {
    tensor,
    data,
    n,
    dim,
    squaredNorms,
    meanVariance: total / (n * dim),
    mean: mean.map((m) => m * scale),
    scale,
  };
}

/** Squared distance of a point to one of the centres (`k x dim`), in float64. */
export function squaredDistance(
  { data, dim }: Points,
  row: number,
  centers: Float64Array,
  center: number,
): number {
  let sum = 0;
  for (let j = 0, a = row * dim, b = center * dim; j < dim; j++) {
    const difference = data[a++] - centers[b++];
    sum += difference * difference;
  }
  return sum;
}
