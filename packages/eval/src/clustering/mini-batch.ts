import * as tf from "@tensorflow/tfjs-core";
import { integers } from "../random.js";
import { kMeansPlusPlus } from "./k-means-plus-plus.js";
import type { Clustering } from "./lloyd.js";
import { nearestCenters } from "./nearest-center.js";
import { type Points, squaredDistance } from "./points.js";

/** Steps without a better mean of the batches' inertia after which mini-batch k-means stops, as in scikit-learn. */
const patience = 10;

/**
 * Mini-batch k-means (Sculley 2010): a step draws a batch and moves each centre to the mean of all points that it was given so
 * far. The first centres are k-means++'s on three batches.
 *
 * @param maxIterations passes over the data at most
 */
export async function miniBatch(
  points: Points,
  clusters: number,
  { batchSize, maxIterations, uniform }: { batchSize: number; maxIterations: number; uniform: () => number },
): Promise<Clustering> {
  const { n, dim, data } = points;
  const centers = await withSample(Math.min(n, Math.max(clusters, 3 * batchSize)), (sample) =>
    kMeansPlusPlus(sample, clusters, uniform),
  );
  const counts = new Float64Array(clusters);
  const rate = Math.min(1, (2 * batchSize) / (n + 1));
  const steps = Math.ceil((maxIterations * n) / batchSize);
  let [mean, best, worse] = [Number.NaN, Number.POSITIVE_INFINITY, 0];
  let step = 0;
  while (step < steps && worse < patience) {
    const [batch, labels] = await withSample(
      batchSize,
      async (sample) => [sample, await nearestCenters(sample, centers)] as const,
    );
    let inertia = 0;
    for (let i = 0; i < batchSize; i++) inertia += squaredDistance(batch, i, centers, labels[i]);
    for (let i = 0; i < batchSize; i++) {
      const share = 1 / ++counts[labels[i]];
      for (let j = 0, a = i * dim, b = labels[i] * dim; j < dim; j++, b++) {
        centers[b] += share * (batch.data[a++] - centers[b]);
      }
    }
    mean = Number.isNaN(mean) ? inertia : mean + rate * (inertia - mean);
    worse = mean < best ? 0 : worse + 1;
    best = Math.min(best, mean);
    step++;
  }
  const labels = await nearestCenters(points, centers);
  return { labels, centers, iterations: Math.ceil((step * batchSize) / n) };

  /** Draws points, and frees their tensor where `f` ends. */
  async function withSample<T>(count: number, f: (sample: Points) => Promise<T>): Promise<T> {
    const rows = new Float32Array(count * dim);
    const squaredNorms = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const row = count === n ? i : integers(uniform, n);
      rows.set(data.subarray(row * dim, (row + 1) * dim), i * dim);
      squaredNorms[i] = points.squaredNorms[row];
    }
    const tensor = tf.tensor2d(rows, [count, dim]);
    try {
      return await f({ ...points, n: count, data: rows, squaredNorms, tensor });
    } finally {
      tensor.dispose();
    }
  }
}
