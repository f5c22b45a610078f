import type { Labels } from "../features/check-labels.js";
import { pairCounts } from "./pair-counts.js";

/** Rand index adjusted for chance, at most 1, about 0 for random clusters (Hubert & Arabie 1985, eq. 5). */
export function adjustedRandIndex(labels: Labels, clusters: Labels): number {
  const { all, label, cluster, both } = pairCounts("adjustedRandIndex", labels, clusters);
  const expected = all === 0 ? 0 : (label / all) * cluster;
  const highest = (label + cluster) / 2;
  return highest === expected ? 1 : (both - expected) / (highest - expected);
}
