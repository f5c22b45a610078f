import type { Labels } from "../features/check-labels.js";
import { contingency } from "./contingency.js";

/** Share of rows that have the most frequent label of their cluster, in (0, 1] (Manning, Raghavan & Schuetze 2008, section 16.3). */
export function purity(labels: Labels, clusters: Labels): number {
  const { table, columns, n } = contingency("purity", labels, clusters);
  let right = 0;
  for (const j of columns.keys()) right += table.reduce((most, row) => Math.max(most, row[j]), 0);
  return right / n;
}
