import * as tf from "@tensorflow/tfjs-core";
import { stopGradient } from "../math/stop-gradient.js";
import { segmentSum } from "../shared/segment-sum.js";

/** Rows are near where the square of their distance is at most this share of the sum of their squares: its first two bits are lost. */
const nearShare = 0.25;
/** The least sum of squares of a row of which float32 has all digits that count. */
const leastSquares = 1e-30;

export interface EuclideanByProducts {
  /** Makes the results, `[...]`, of differences of rows, `[..., dim]`. */
  ofDifferences: (differences: tf.Tensor) => tf.Tensor;
  /** Makes the results of squared distances greater than 0. */
  ofSquares: (squares: tf.Tensor) => tf.Tensor;
  /** The most differences, in numbers, that may be in memory. */
  mostDifferences: number;
}

/** Whether tensors can be read at once: a GPU's cannot, and it computes differences fast. */
export function canReadTensors(): boolean {
  return ["cpu", "wasm", "tensorflow"].includes(tf.getBackend());
}

/**
 * Computes a function of the Euclidean distance by `|x|^2 + |y|^2 - 2 x.y`, one matrix product, and where rows are near, which would cost
 * digits, by their differences.
 *
 * @param x `[n, dim]`. @param y `[m, dim]`.
 * @returns `[n, m]`; undefined where squares are beyond float32, or the near rows too many
 */
export function euclideanByProducts(
  x: tf.Tensor2D,
  y: tf.Tensor2D,
  { ofDifferences, ofSquares, mostDifferences }: EuclideanByProducts,
): tf.Tensor | undefined {
  const [n, m, dim] = [x.shape[0], y.shape[0], x.shape[1]];
  const [sizesOfX, sizesOfY] = [x, y].map((z) => tf.sum(tf.square(z), 1));
  const isSafe = [sizesOfX, sizesOfY].every((sizes) =>
    sizes.dataSync().every((size) => size === 0 || (size >= leastSquares && Number.isFinite(size))),
  );
  if (!isSafe) return undefined;
  const sizes = tf.add(tf.expandDims(sizesOfX, 1), sizesOfY);
  const squares = tf.sub(sizes, tf.mul(tf.matMul(x, y, false, true), 2));
  const isNear = stopGradient(squares, (z) => tf.lessEqual(z, tf.mul(sizes, nearShare)));
  const near: number[] = [];
  for (const [at, flag] of isNear.dataSync().entries()) if (flag) near.push(at);
  if (near.length * dim > mostDifferences) return undefined;
  const far = ofSquares(tf.where(isNear, tf.onesLike(squares), squares));
  if (near.length === 0) return far;
  const rows = (z: tf.Tensor, rowOf: (at: number) => number) =>
    tf.gather(z, tf.tensor1d(Int32Array.from(near, rowOf), "int32"));
  const differences = tf.sub(
    rows(x, (at) => Math.floor(at / m)),
    rows(y, (at) => at % m),
  );
  const places = tf.tensor1d(Int32Array.from(near), "int32");
  const exact = segmentSum(ofDifferences(differences), places, n * m);
  return tf.where(isNear, tf.reshape(exact, [n, m]), far);
}
