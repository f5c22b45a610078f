import type { Labels } from "../features/check-labels.js";
import { contingency } from "./contingency.js";

/** Share of rows that have the most frequent label of their cluster, in (0, 1] (Manning, Raghavan & Schuetze 2008, section 16.3). */
export function purity(labels: Labels, clusters: Labels): number {
  const { cells, columns, n } = contingency("purity", labels, clusters);
  const most = new Float64Array(columns.length);
  for (const { cluster, count } of cells) most[cluster] = Math.max(most[cluster], count);
  return most.reduce((sum, count) => sum + count) / n;
}
