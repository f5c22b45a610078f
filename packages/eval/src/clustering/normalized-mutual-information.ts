import type { Labels } from "../features/check-labels.js";
import { contingency } from "./contingency.js";
import { entropy, mutualInformation } from "./entropy.js";

/**
 * Normalised mutual information `I(U; V) / ((H(U) + H(V)) / 2)` in [0, 1] (Strehl & Ghosh 2002, with the arithmetic mean, scikit-learn's
 * default); 1 where both sides have a single class.
 */
export function normalizedMutualInformation(labels: Labels, clusters: Labels): number {
  const counts = contingency("normalizedMutualInformation", labels, clusters);
  const mean = (entropy(counts.rows, counts.n) + entropy(counts.columns, counts.n)) / 2;
  return mean === 0 ? 1 : mutualInformation(counts) / mean;
}
