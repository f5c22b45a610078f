import munkres from "munkres";
import type { Cell } from "./contingency.js";

/**
 * The most rows that a one-to-one matching of labels to clusters puts right. Labels and clusters that no rows connect are matched apart,
 * and each with as few candidates as there can be others to take them, so that many labels beside few clusters cost little.
 */
export function largestMatching(cells: readonly Cell[]): number {
  return connectedParts(cells).reduce((sum, part) => sum + matchedRows(candidates(part)), 0);
}

/** Parts of the cells that have no label and no cluster in common. */
function connectedParts(cells: readonly Cell[]): Cell[][] {
  const byLabel = groupBy(cells, ({ label }) => label);
  const byCluster = groupBy(cells, ({ cluster }) => cluster);
  const seen = new Set<Cell>();
  const parts: Cell[][] = [];
  for (const first of cells) {
    if (seen.has(first)) continue;
    const part = [first];
    seen.add(first);
    for (const { label, cluster } of part) {
      for (const next of [...(byLabel.get(label) ?? []), ...(byCluster.get(cluster) ?? [])]) {
        if (seen.has(next)) continue;
        seen.add(next);
        part.push(next);
      }
      byLabel.delete(label);
      byCluster.delete(cluster);
    }
    parts.push(part);
  }
  return parts;
}

/** The cells that can be in a best matching: each of the k labels or clusters of the smaller side has a use for its k largest alone. */
function candidates(cells: Cell[]): Cell[] {
  const byLabel = groupBy(cells, ({ label }) => label);
  const byCluster = groupBy(cells, ({ cluster }) => cluster);
  const smaller = byLabel.size < byCluster.size ? byLabel : byCluster;
  return [...smaller.values()].flatMap((own) =>
    own.toSorted((a, b) => b.count - a.count).slice(0, smaller.size),
  );
}

/** The rows of the best matching of these cells. */
function matchedRows(cells: readonly Cell[]): number {
  const labels = [...new Set(cells.map(({ label }) => label))];
  const clusters = [...new Set(cells.map(({ cluster }) => cluster))];
  const size = Math.max(labels.length, clusters.length);
  // The assignment minimises, and wants a square matrix.
  const cost = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  const [rowOf, columnOf] = [labels, clusters].map((names) => new Map(names.map((name, i) => [name, i])));
  for (const { label, cluster, count } of cells) cost[rowOf.get(label)!][columnOf.get(cluster)!] = -count;
  return (munkres(cost) as [number, number][]).reduce((sum, [i, j]) => sum - cost[i][j], 0);
}

function groupBy(cells: readonly Cell[], keyOf: (cell: Cell) => number): Map<number, Cell[]> {
  const groups = new Map<number, Cell[]>();
  for (const cell of cells) {
    const group = groups.get(keyOf(cell));
    if (group) group.push(cell);
    else groups.set(keyOf(cell), [cell]);
  }
  return groups;
}
