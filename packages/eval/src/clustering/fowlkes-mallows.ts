import type { Labels } from "../features/check-labels.js";
import { pairCounts } from "./pair-counts.js";

/** Geometric mean of the pairs' precision and recall, in [0, 1] (Fowlkes & Mallows 1983); 0 where no pair is together on both sides. */
export function fowlkesMallows(labels: Labels, clusters: Labels): number {
  const { label, cluster, both } = pairCounts("fowlkesMallows", labels, clusters);
  return both === 0 ? 0 : Math.sqrt(both / label) * Math.sqrt(both / cluster);
}
