import * as tf from "@tensorflow/tfjs-core";
import type { ImageRow } from "./image-cache.js";

/** Reads and frees `[n, ...]`, as n rows on the host. */
export async function rowsOfTensor(tensor: tf.Tensor): Promise<ImageRow[]> {
  const values = (await tensor.data()) as Float32Array;
  const [n, ...shape] = tensor.shape;
  tensor.dispose();
  const width = values.length / n;
  return Array.from({ length: n }, (_, i) => ({ values: values.slice(i * width, (i + 1) * width), shape }));
}

/** Rows of one shape as a tensor `[n, ...]`; the caller disposes it. */
export function tensorOfRows(rows: readonly ImageRow[]): tf.Tensor {
  const [{ values: first, shape }] = rows;
  const all = new Float32Array(rows.length * first.length);
  for (const [i, { values }] of rows.entries()) all.set(values, i * first.length);
  return tf.tensor(all, [rows.length, ...shape]);
}
