import type { Labels } from "../features/check-labels.js";
import type { Features } from "../features/open-features.js";
import { checkOptions } from "../shared/check-options.js";
import { predictByVotes, type VoteOptions, type Voters } from "./nearest-neighbour-predictions.js";

export interface NearestNeighbourOptions extends VoteOptions {
  /** Rows that vote, with their labels. Default: the features themselves, leaving out the row that is asked for. */
  train?: Voters;
}

/**
 * Accuracy of the k nearest neighbours by cosine similarity: each row takes the label with most votes; among equally frequent ones
 * the label of the nearest. Leave-one-out, or with training rows of their own.
 *
 * @param features `[n, dim]`. @param labels one for each row
 * @returns a share in [0, 1]
 *
 * @example
 * const accuracy = await nearestNeighbourAccuracy(test, testLabels, {
 *   k: 20,
 *   train: { features: train, labels: trainLabels },
 *   weights: "exponential",
 * });
 */
export async function nearestNeighbourAccuracy(
  features: Features,
  labels: Labels,
  options?: NearestNeighbourOptions,
): Promise<number> {
  const caller = "nearestNeighbourAccuracy";
  const checked = checkOptions(caller, options, {
    k: true,
    train: true,
    weights: true,
    temperature: true,
    threads: true,
  });
  const predictions = await predictByVotes(caller, features, { ...checked, labels });
  return predictions.filter((label, i) => label === labels[i]).length / predictions.length;
}
