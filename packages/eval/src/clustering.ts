import type * as tf from "@tensorflow/tfjs-core";
import { kmeans } from "ml-kmeans";
import munkres from "munkres";

export interface KMeansOptions {
  /** Number of clusters. */
  clusters: number;
  /** Seed of the first centres (k-means++). Default 0. */
  seed?: number;
  /** Runs from different centres, the one of least inertia counts. Default 10, as scikit-learn's. */
  restarts?: number;
  /** Default 300. */
  maxIterations?: number;
}

/**
 * Lloyd's k-means with k-means++ centres (Arthur & Vassilvitskii 2007).
 *
 * @param features `[n, dim]`, n >= clusters. @returns the cluster of each row.
 */
export async function kMeans(features: tf.Tensor2D, options: KMeansOptions): Promise<Int32Array> {
  const { clusters, seed = 0, restarts = 10, maxIterations = 300 } = options;
  if (!Number.isInteger(clusters) || clusters < 1 || clusters > features.shape[0]) {
    throw new Error(`kMeans: clusters must be an integer in 1..${features.shape[0]}, got ${clusters}`);
  }
  for (const [name, value] of Object.entries({ restarts, maxIterations })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new Error(`kMeans: ${name} must be a positive integer, got ${value}`);
    }
  }
  const rows = await features.array();
  const bad = rows.findIndex((row) => !row.every(Number.isFinite));
  if (bad >= 0) throw new Error(`kMeans: features must be finite, row ${bad} is not`);
  let best: { clusters: number[]; inertia: number } | undefined;
  for (let restart = 0; restart < restarts; restart++) {
    const result = kmeans(rows, clusters, {
      initialization: "kmeans++",
      seed: seed * restarts + restart,
      maxIterations,
    });
    const inertia = result.clusters.reduce(
      (sum, cluster, i) => sum + squaredDistance(rows[i], result.centroids[cluster]),
      0,
    );
    if (!best || inertia < best.inertia) best = { clusters: result.clusters, inertia };
  }
  return Int32Array.from(best!.clusters);
}

const squaredDistance = (a: number[], b: number[]) =>
  a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0);

/** How many rows have each (label, cluster), and the margins. */
function contingency(labels: ArrayLike<number>, clusters: ArrayLike<number>) {
  if (labels.length !== clusters.length || labels.length === 0) {
    throw new Error(
      `clustering: labels and clusters must be of one length above 0, got ${labels.length} and ${clusters.length}`,
    );
  }
  const index = (values: ArrayLike<number>) =>
    new Map([...new Set(Array.from(values))].map((value, i) => [value, i]));
  const [rowOf, columnOf] = [index(labels), index(clusters)];
  const table = Array.from({ length: rowOf.size }, () => new Array<number>(columnOf.size).fill(0));
  for (let i = 0; i < labels.length; i++) table[rowOf.get(labels[i])!][columnOf.get(clusters[i])!]++;
  const rows = table.map((row) => row.reduce((a, b) => a + b, 0));
  const columns = table[0].map((_, j) => table.reduce((sum, row) => sum + row[j], 0));
  return { table, rows, columns, n: labels.length };
}

/**
 * Normalised mutual information `I(U; V) / ((H(U) + H(V)) / 2)` in [0, 1] (arithmetic mean, scikit-learn's default);
 * 1 where both sides have a single class.
 */
export function normalizedMutualInformation(labels: ArrayLike<number>, clusters: ArrayLike<number>): number {
  const { table, rows, columns, n } = contingency(labels, clusters);
  const entropy = (counts: number[]) =>
    -counts.reduce((sum, count) => (count > 0 ? sum + (count / n) * Math.log(count / n) : sum), 0);
  const [hRows, hColumns] = [entropy(rows), entropy(columns)];
  if (hRows === 0 && hColumns === 0) return 1;
  let information = 0;
  for (const [i, row] of table.entries()) {
    for (const [j, count] of row.entries()) {
      if (count > 0) information += (count / n) * Math.log((n * count) / (rows[i] * columns[j]));
    }
  }
  return Math.max(0, (2 * information) / (hRows + hColumns));
}

/** Share of rows that the best one-to-one matching of clusters to labels puts right (Hungarian assignment). */
export function clusteringAccuracy(labels: ArrayLike<number>, clusters: ArrayLike<number>): number {
  const { table, rows, columns, n } = contingency(labels, clusters);
  const size = Math.max(rows.length, columns.length);
  // The assignment minimises, and wants a square matrix.
  const cost = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => -(table[i]?.[j] ?? 0)),
  );
  const matched = (munkres(cost) as [number, number][]).reduce((sum, [i, j]) => sum - cost[i][j], 0);
  return matched / n;
}

/** Rand index adjusted for chance, at most 1, about 0 for random clusters (Hubert & Arabie 1985, eq. 5). */
export function adjustedRandIndex(labels: ArrayLike<number>, clusters: ArrayLike<number>): number {
  const { table, rows, columns, n } = contingency(labels, clusters);
  const pairs = (count: number) => (count * (count - 1)) / 2;
  const sum = (counts: number[]) => counts.reduce((total, count) => total + pairs(count), 0);
  const together = sum(table.flat());
  const expected = n < 2 ? 0 : (sum(rows) * sum(columns)) / pairs(n);
  const highest = (sum(rows) + sum(columns)) / 2;
  return highest === expected ? 1 : (together - expected) / (highest - expected);
}

export interface ClusteringScores {
  nmi: number;
  acc: number;
  ari: number;
}

/** All three measures of a clustering against labels. */
export function clusteringScores(labels: ArrayLike<number>, clusters: ArrayLike<number>): ClusteringScores {
  return {
    nmi: normalizedMutualInformation(labels, clusters),
    acc: clusteringAccuracy(labels, clusters),
    ari: adjustedRandIndex(labels, clusters),
  };
}
