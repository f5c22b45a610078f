import type * as tf from "@tensorflow/tfjs-core";
import { cosineMatrix } from "./cosine.js";

/**
 * Leave-one-out accuracy of the k nearest neighbours by cosine similarity: each row takes the label that most of the
 * others nearest to it have; among equally frequent ones the label of the nearest.
 *
 * @param features `[n, dim]`, n > k. @param labels one for each row. @param k default 1.
 * @returns a share in [0, 1].
 */
export async function nearestNeighbourAccuracy(
  features: tf.Tensor2D,
  labels: ArrayLike<number>,
  { k = 1 }: { k?: number } = {},
): Promise<number> {
  const n = features.shape[0];
  if (labels.length !== n) {
    throw new Error(`nearestNeighbourAccuracy: expected ${n} labels, one for each row, got ${labels.length}`);
  }
  if (!Number.isInteger(k) || k < 1 || k >= n) {
    throw new Error(`nearestNeighbourAccuracy: k must be an integer in 1..${n - 1}, got ${k}`);
  }
  const scores = await cosineMatrix(features, features);
  let right = 0;
  for (let i = 0; i < n; i++) {
    const row = scores[i];
    const nearest = Array.from({ length: n }, (_, j) => j)
      .filter((j) => j !== i)
      .sort((a, b) => row[b] - row[a] || a - b)
      .slice(0, k);
    const votes = new Map<number, number>();
    for (const j of nearest) votes.set(labels[j], (votes.get(labels[j]) ?? 0) + 1);
    const most = Math.max(...votes.values());
    // Insertion order is by distance, so the first of the most frequent is the nearest.
    const [label] = [...votes].find(([, count]) => count === most)!;
    if (label === labels[i]) right++;
  }
  return right / n;
}
