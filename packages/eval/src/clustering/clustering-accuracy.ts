import munkres from "munkres";
import type { Labels } from "../features/check-labels.js";
import { contingency } from "./contingency.js";

/** Share of rows that the best one-to-one matching of clusters to labels puts right (Hungarian assignment, Kuhn 1955). */
export function clusteringAccuracy(labels: Labels, clusters: Labels): number {
  const { table, rows, columns, n } = contingency("clusteringAccuracy", labels, clusters);
  const size = Math.max(rows.length, columns.length);
  // The assignment minimises, and wants a square matrix.
  const cost = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => -(table[i]?.[j] ?? 0)),
  );
  const matched = (munkres(cost) as [number, number][]).reduce((sum, [i, j]) => sum - cost[i][j], 0);
  return matched / n;
}
