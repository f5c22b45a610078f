import { checkLabels, type Labels, numberLabels } from "../features/check-labels.js";
import { describe } from "../shared/check-options.js";

/** How many rows have each label and cluster, and how many have each. */
export interface Contingency {
  /** `table[label][cluster]`. */
  table: Float64Array[];
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
  const table = label.names.map(() => new Float64Array(cluster.names.length));
  const rows = new Float64Array(label.names.length);
  const columns = new Float64Array(cluster.names.length);
  for (let i = 0; i < n; i++) {
    const [row, column] = [label.numbers[i], cluster.numbers[i]];
    table[row][column]++;
    rows[row]++;
    columns[column]++;
  }
  return { table, rows, columns, n };
}
