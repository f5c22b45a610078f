import { type Features, openFeatures } from "../features/open-features.js";
import { uniforms } from "../random.js";
import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { kMeansPlusPlus } from "./k-means-plus-plus.js";
import { type Clustering, lloyd } from "./lloyd.js";
import { miniBatch } from "./mini-batch.js";
import { type Points, squaredDistance, toPoints } from "./points.js";

export interface KMeansOptions {
  /** Number of clusters, from 1 to the number of rows. */
  clusters: number;
  /** Seed of the first centres. Default 0. */
  seed?: number;
  /** Runs from different centres, of which the one of least inertia counts. Default 10. */
  restarts?: number;
  /** Iterations of a run at most; with `batchSize` passes over the data. Default 300. */
  maxIterations?: number;
  /**
   * A run of Lloyd's iterations stops where the squared shift of the centres is at most this times the columns' mean variance. Default 1e-4,
   * scikit-learn's. Not with `batchSize`.
   */
  tolerance?: number;
  /** Rows of a step of mini-batch k-means (Sculley 2010). Default: Lloyd's iterations over all rows. */
  batchSize?: number;
}

export interface KMeansResult {
  /** The cluster of each row. */
  labels: Int32Array;
  /** The centre of each cluster, in the features' unit. */
  centers: Float64Array[];
  /** Sum of the rows' squared distances from their centres, in the features' unit. */
  inertia: number;
  /** Of the run that counts. */
  iterations: number;
}

/**
 * k-means with greedy k-means++ centres (Lloyd 1982; Arthur & Vassilvitskii 2007), on the tensor backend. The result does not
 * depend on the features' unit, and is the same for the same seed and backend.
 *
 * @param features `[n, dim]`, n >= clusters
 * @throws on features that are not finite, and on options that are out of range or have no use
 *
 * @example
 * const { labels, inertia } = await fitKMeans(features, { clusters: 10 });
 */
export async function fitKMeans(features: Features, options: KMeansOptions): Promise<KMeansResult> {
  return fit("fitKMeans", features, options);
}

/** {@link fitKMeans} for the function `caller`, whose name its errors bear. */
async function fit(caller: string, features: Features, options: KMeansOptions): Promise<KMeansResult> {
  const checked = checkOptions(caller, options, {
    clusters: true,
    seed: true,
    restarts: true,
    maxIterations: true,
    tolerance: true,
    batchSize: true,
  });
  const { seed = 0, restarts = 10, maxIterations = 300, tolerance = 1e-4, batchSize } = checked;
  checkNumber(`${caller}: seed`, seed, { min: 0, integer: true });
  checkNumber(`${caller}: restarts`, restarts, { min: 1, integer: true });
  checkNumber(`${caller}: maxIterations`, maxIterations, { min: 1, integer: true });
  checkFloat(`${caller}: tolerance`, tolerance, { min: 0 });
  if (batchSize !== undefined) {
    checkNumber(`${caller}: batchSize`, batchSize, { min: 1, integer: true });
    if (checked.tolerance !== undefined) {
      throw new Error(
        `${caller}: tolerance is of Lloyd's iterations; expected none with batchSize, got ${tolerance}`,
      );
    }
  }
  checkNumber(`${caller}: clusters`, checked.clusters, { min: 1, integer: true });
  const x = await openFeatures(`${caller}: features`, features);
  try {
    const clusters = checkNumber(`${caller}: clusters`, checked.clusters, {
      min: 1,
      max: x.shape[0],
      integer: true,
    });
    const points = await toPoints(x);
    try {
      let best: (Clustering & { inertia: number }) | undefined;
      for (let restart = 0; restart < restarts; restart++) {
        const uniform = uniforms(seed, restart);
        const run =
          batchSize === undefined
            ? await lloyd(points, await kMeansPlusPlus(points, clusters, uniform), {
                maxIterations,
                tolerance,
              })
            : await miniBatch(points, clusters, {
                batchSize: Math.min(batchSize, points.n),
                maxIterations,
                uniform,
              });
        const inertia = inertiaOf(points, run);
        if (!best || inertia < best.inertia) best = { ...run, inertia };
      }
      return inUnitOfFeatures(points, best!);
    } finally {
      points.tensor.dispose();
    }
  } finally {
    x.dispose();
  }
}

/**
 * The clusters of {@link fitKMeans} only.
 *
 * @returns the cluster of each row
 */
export async function kMeans(features: Features, options: KMeansOptions): Promise<Int32Array> {
  return (await fit("kMeans", features, options)).labels;
}

function inertiaOf(points: Points, { labels, centers }: Clustering): number {
  let sum = 0;
  for (let i = 0; i < points.n; i++) sum += squaredDistance(points, i, centers, labels[i]);
  return sum;
}

function inUnitOfFeatures(
  { dim, mean, scale }: Points,
  { labels, centers, inertia, iterations }: Clustering & { inertia: number },
): KMeansResult {
  const rows = Array.from({ length: centers.length / dim }, (_, c) =>
    centers.slice(c * dim, (c + 1) * dim).map((value, j) => value * scale + mean[j]),
  );
  return { labels, centers: rows, inertia: inertia * scale ** 2, iterations };
}
