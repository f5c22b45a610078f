import type { Labels } from "../features/check-labels.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { contingency } from "./contingency.js";
import { entropy, mutualInformation } from "./entropy.js";

export interface VMeasureOptions {
  /** Weight of completeness against homogeneity. Default 1; at least 0. */
  beta?: number;
}

export interface VMeasureScores {
  /** 1 where each cluster holds rows of one label. */
  homogeneity: number;
  /** 1 where all rows of a label are in one cluster. */
  completeness: number;
  /** Weighted harmonic mean of both. */
  vMeasure: number;
}

/** Homogeneity, completeness and V-measure, each in [0, 1] (Rosenberg & Hirschberg 2007). */
export function vMeasure(labels: Labels, clusters: Labels, options?: VMeasureOptions): VMeasureScores {
  const { beta = 1 } = checkOptions("vMeasure", options, { beta: true });
  checkFloat("vMeasure: beta", beta, { min: 0 });
  const counts = contingency("vMeasure", labels, clusters);
  const information = mutualInformation(counts);
  const [hLabels, hClusters] = [entropy(counts.rows, counts.n), entropy(counts.columns, counts.n)];
  const homogeneity = hLabels === 0 ? 1 : information / hLabels;
  const completeness = hClusters === 0 ? 1 : information / hClusters;
  const sum = beta * homogeneity + completeness;
  return {
    homogeneity,
    completeness,
    vMeasure: sum === 0 ? 0 : ((1 + beta) * homogeneity * completeness) / sum,
  };
}
