import { checkLabels, type Labels, numberLabels } from "../features/check-labels.js";
import { describe } from "../shared/check-options.js";

/** A label and a cluster that rows have in common, by their numbers, and how many rows. */
export interface Cell {
  label: number;
  cluster: number;
  count: number;
}

/** How many rows have each label and cluster, and how many have each. */
export interface Contingency {
  /** Those that are not empty: at most one a row, where a table would have labels times clusters. */
  cells: Cell[];
  rows: Float64Array;
  columns: Float64Array;
  n: number;
}

/** Counts rows by label and cluster. @throws unless both lists have one length above 0 */
export function contingency(caller: string, labels: Labels, clusters: Labels): Contingency {
  const n = labels?.length;
  if (n !== clusters?.length || !(n > 0)) {
    const [one, other] = [labels, clusters].map((list) => list?.length ?? describe(list));
    throw new Error(`${caller}: labels and clusters must be of one length above 0, got ${one} and ${other}`);
  }
  checkLabels(`${caller}: labels`, labels, n);
  checkLabels(`${caller}: clusters`, clusters, n);
  const [label, cluster] = [numberLabels(labels), numberLabels(clusters)];
  const cells = new Map<number, Cell>();
  const rows = new Float64Array(label.names.length);
  const columns = new Float64Array(cluster.names.length);
  for (let i = 0; i < n; i++) {
    const [row, column] = [label.numbers[i], cluster.numbers[i]];
    const key = row * columns.length + column;
    const cell = cells.get(key);
    if (cell) cell.count++;
    else cells.set(key, { label: row, cluster: column, count: 1 });
    rows[row]++;
    columns[column]++;
  }
  return { cells: [...cells.values()], rows, columns, n };
}
