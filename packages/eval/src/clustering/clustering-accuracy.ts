import type { Labels } from "../features/check-labels.js";
import { contingency } from "./contingency.js";
import { largestMatching } from "./largest-matching.js";

/** Share of rows that the best one-to-one matching of clusters to labels puts right (Hungarian assignment, Kuhn 1955). */
export function clusteringAccuracy(labels: Labels, clusters: Labels): number {
  const { cells, n } = contingency("clusteringAccuracy", labels, clusters);
  return largestMatching(cells) / n;
}
