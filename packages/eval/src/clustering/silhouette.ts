import * as tf from "@tensorflow/tfjs-core";
import { checkLabels, type Labels, numberLabels } from "../features/check-labels.js";
import { type Features, openFeatures } from "../features/open-features.js";
import { toPoints } from "./points.js";

const blockSize = 2 ** 22;

/**
 * Mean silhouette of the rows, in [-1, 1], with Euclidean distances (Rousseeuw 1987): near 1 where rows are much nearer to
 * their own cluster than to the next. A row that is alone in its cluster counts 0.
 *
 * @param features `[n, dim]`. @param clusters the cluster (or label) of each row, from 2 to n - 1 different ones
 */
export async function silhouette(features: Features, clusters: Labels): Promise<number> {
  const x = await openFeatures("silhouette: features", features);
  try {
    const n = x.shape[0];
    checkLabels("silhouette: clusters", clusters, n);
    const { names, numbers } = numberLabels(clusters);
    const k = names.length;
    if (k < 2 || k > n - 1) {
      throw new Error(`silhouette: expected 2 to ${n - 1} different clusters for ${n} rows, got ${k}`);
    }
    const counts = new Float64Array(k);
    for (const cluster of numbers) counts[cluster]++;
    const { tensor, squaredNorms } = await toPoints(x);
    try {
      let total = 0;
      const rows = Math.max(1, Math.floor(blockSize / n));
      for (let start = 0; start < n; start += rows) {
        const count = Math.min(rows, n - start);
        const block = tf.tidy(() =>
          tf.matMul(tf.slice(tensor, [start, 0], [count, -1]), tensor, false, true),
        );
        const products = await block.data();
        block.dispose();
        for (let i = 0; i < count; i++) {
          const row = start + i;
          if (counts[numbers[row]] === 1) continue;
          const sums = new Float64Array(k);
          for (let j = 0; j < n; j++) {
            if (j === row) continue;
            const squared = squaredNorms[row] + squaredNorms[j] - 2 * products[i * n + j];
            sums[numbers[j]] += Math.sqrt(Math.max(0, squared));
          }
          total += silhouetteOf(sums, counts, numbers[row]);
        }
      }
      return total / n;
    } finally {
      tensor.dispose();
    }
  } finally {
    x.dispose();
  }
}

/** From the sums of a row's distances to each cluster. */
function silhouetteOf(sums: Float64Array, counts: Float64Array, own: number): number {
  const inner = sums[own] / (counts[own] - 1);
  let outer = Number.POSITIVE_INFINITY;
  for (const [cluster, sum] of sums.entries())
    if (cluster !== own) outer = Math.min(outer, sum / counts[cluster]);
  const larger = Math.max(inner, outer);
  return larger === 0 ? 0 : (outer - inner) / larger;
}
