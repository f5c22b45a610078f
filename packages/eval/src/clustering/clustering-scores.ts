import type { Labels } from "../features/check-labels.js";
import { adjustedMutualInformation } from "./adjusted-mutual-information.js";
import { adjustedRandIndex } from "./adjusted-rand-index.js";
import { clusteringAccuracy } from "./clustering-accuracy.js";
import { contingency } from "./contingency.js";
import { fowlkesMallows } from "./fowlkes-mallows.js";
import { normalizedMutualInformation } from "./normalized-mutual-information.js";
import { purity } from "./purity.js";
import { type VMeasureScores, vMeasure } from "./v-measure.js";

/** Measures of a clustering against labels, each at most 1; higher is better. */
export interface ClusteringScores extends VMeasureScores {
  nmi: number;
  acc: number;
  ari: number;
  ami: number;
  fowlkesMallows: number;
  purity: number;
}

/**
 * All measures of a clustering against labels.
 *
 * @example
 * const { nmi, acc, ari } = clusteringScores(labels, await kMeans(features, { clusters: 10 }));
 */
export function clusteringScores(labels: Labels, clusters: Labels): ClusteringScores {
  // For the errors: those of the scores would name the first of them.
  contingency("clusteringScores", labels, clusters);
  return {
    nmi: normalizedMutualInformation(labels, clusters),
    acc: clusteringAccuracy(labels, clusters),
    ari: adjustedRandIndex(labels, clusters),
    ami: adjustedMutualInformation(labels, clusters),
    ...vMeasure(labels, clusters),
    fowlkesMallows: fowlkesMallows(labels, clusters),
    purity: purity(labels, clusters),
  };
}
