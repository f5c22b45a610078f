import type { Contingency } from "./contingency.js";

/** Entropy of a partition in nats, from the sizes of its parts. */
export function entropy(counts: Float64Array, n: number): number {
  let sum = 0;
  for (const count of counts) if (count > 0) sum -= (count / n) * Math.log(count / n);
  return sum;
}

/** Mutual information of labels and clusters in nats. */
export function mutualInformation({ cells, rows, columns, n }: Contingency): number {
  let sum = 0;
  for (const { label, cluster, count } of cells) {
    sum += (count / n) * (Math.log(n / rows[label]) + Math.log(count / columns[cluster]));
  }
  return Math.max(0, sum);
}
