import { nearestCenters } from "./nearest-center.js";
import { type Points, squaredDistance } from "./points.js";

/** A clustering in the unit of the points. */
export interface Clustering {
  labels: Int32Array;
  /** `clusters x dim`. */
  centers: Float64Array;
  iterations: number;
}

/**
 * Lloyd's iterations: each point goes to its nearest centre, each centre to the mean of its points, until nothing changes or the
 * centres move by less than `tolerance` times the points' mean variance, as in scikit-learn. A cluster without points
 * takes the point that is farthest from its centre.
 */
export async function lloyd(
  points: Points,
  first: Float64Array,
  { maxIterations, tolerance }: { maxIterations: number; tolerance: number },
): Promise<Clustering> {
  const { n, dim, data } = points;
  const clusters = first.length / dim;
  const sums = new Float64Array(clusters * dim);
  const counts = new Float64Array(clusters);
  const add = (row: number, cluster: number, sign: 1 | -1) => {
    counts[cluster] += sign;
    for (let j = 0, a = row * dim, b = cluster * dim; j < dim; j++) sums[b++] += sign * data[a++];
  };
  let centers = first;
  let labels = await nearestCenters(points, centers);
  for (let i = 0; i < n; i++) add(i, labels[i], 1);
  for (let iterations = 1; ; iterations++) {
    fillEmpty(points, centers, { labels, counts, add });
    const moved = sums.map((sum, at) => {
      const count = counts[Math.floor(at / dim)];
      return count > 0 ? sum / count : centers[at];
    });
    let shift = 0;
    for (let at = 0; at < moved.length; at++) shift += (moved[at] - centers[at]) ** 2;
    centers = moved;
    const next = await nearestCenters(points, centers);
    let changed = 0;
    for (let i = 0; i < n; i++) {
      if (next[i] === labels[i]) continue;
      changed++;
      add(i, labels[i], -1);
      add(i, next[i], 1);
    }
    labels = next;
    if (changed === 0 || shift <= tolerance * points.meanVariance || iterations >= maxIterations) {
      return { labels, centers, iterations };
    }
  }
}

/** Gives each cluster without points the point that is farthest from its own centre. */
function fillEmpty(
  points: Points,
  centers: Float64Array,
  {
    labels,
    counts,
    add,
  }: {
    labels: Int32Array;
    counts: Float64Array;
    add: (row: number, cluster: number, sign: 1 | -1) => void;
  },
): void {
  const empty = [...counts.keys()].filter((cluster) => counts[cluster] === 0);
  if (empty.length === 0) return;
  const distances = Float64Array.from({ length: points.n }, (_, i) =>
    squaredDistance(points, i, centers, labels[i]),
  );
  const farthest = [...distances.keys()].sort((a, b) => distances[b] - distances[a]);
  let next = 0;
  for (const cluster of empty) {
    while (next < farthest.length && counts[labels[farthest[next]]] < 2) next++;
    if (next === farthest.length || distances[farthest[next]] === 0) return;
    const row = farthest[next++];
    add(row, labels[row], -1);
    add(row, cluster, 1);
    labels[row] = cluster;
  }
}
