import type { Labels } from "../features/check-labels.js";
import { contingency } from "./contingency.js";

/** Pairs of rows: all, those of one label, of one cluster, and of both. */
export function pairCounts(caller: string, labels: Labels, clusters: Labels) {
  const { cells, rows, columns, n } = contingency(caller, labels, clusters);
  const pairs = (counts: Iterable<number>) => {
    let sum = 0;
    for (const count of counts) sum += (count * (count - 1)) / 2;
    return sum;
  };
  return {
    all: (n * (n - 1)) / 2,
    label: pairs(rows),
    cluster: pairs(columns),
    both: pairs(cells.map(({ count }) => count)),
  };
}
