import type { Labels } from "../features/check-labels.js";
import { type Contingency, contingency } from "./contingency.js";
import { entropy, mutualInformation } from "./entropy.js";

/**
 * Mutual information adjusted for chance (Vinh, Epps & Bailey 2010), with the arithmetic mean of the entropies: 1 for equal
 * partitions, about 0 for random ones.
 */
export function adjustedMutualInformation(labels: Labels, clusters: Labels): number {
  const counts = contingency("adjustedMutualInformation", labels, clusters);
  const { rows, columns, n } = counts;
  const single = rows.length === 1 && columns.length === 1;
  if (single || (rows.length === n && columns.length === n)) return 1;
  const expected = expectedMutualInformation(counts);
  const mean = (entropy(rows, n) + entropy(columns, n)) / 2;
  const information = mutualInformation(counts);
  // Rounding must not turn the sign of a denominator near 0.
  const room = mean - expected;
  const denominator = room < 0 ? Math.min(room, -Number.EPSILON) : Math.max(room, Number.EPSILON);
  return (information - expected) / denominator;
}

/** Expected mutual information of two random partitions with these sizes (Vinh, Epps & Bailey 2010, eq. 24a). */
function expectedMutualInformation({ rows, columns, n }: Contingency): number {
  const logFactorial = new Float64Array(n + 1);
  for (let i = 2; i <= n; i++) logFactorial[i] = logFactorial[i - 1] + Math.log(i);
  const f = (count: number) => logFactorial[count];
  let sum = 0;
  // Parts of one size have one term.
  for (const [a, parts] of countSizes(rows)) {
    for (const [b, others] of countSizes(columns)) {
      const fixed = f(a) + f(b) + f(n - a) + f(n - b) - f(n);
      for (let both = Math.max(1, a + b - n); both <= Math.min(a, b); both++) {
        const probability = Math.exp(fixed - f(both) - f(a - both) - f(b - both) - f(n - a - b + both));
        sum += parts * others * (both / n) * Math.log((n * both) / (a * b)) * probability;
      }
    }
  }
  return sum;
}

/** How many parts have each size. */
function countSizes(sizes: Float64Array): Map<number, number> {
  const counts = new Map<number, number>();
  for (const size of sizes) counts.set(size, (counts.get(size) ?? 0) + 1);
  return counts;
}
