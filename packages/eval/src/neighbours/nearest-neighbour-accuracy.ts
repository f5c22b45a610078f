import { checkLabels, type Labels } from "../features/check-labels.js";
import type { Features } from "../features/open-features.js";
import { checkChoice, checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { findNeighbours } from "./nearest-neighbours.js";
import type { Neighbours } from "./top-k.js";

export interface NearestNeighbourOptions {
  /** Neighbours that vote. Default 1. */
  k?: number;
  /** Rows that vote, with their labels. Default: the features themselves, leaving out the row that is asked for. */
  train?: { features: Features; labels: Labels };
  /**
   * The weight of a vote: `"uniform"` (the default), or `"exponential"`, `exp(similarity / temperature)`, the weighted k-NN of
   * instance discrimination (Wu et al. 2018, section 3.4) and DINO.
   */
  weights?: "uniform" | "exponential";
  /** Of the exponential weights. Default 0.07; above 0. */
  temperature?: number;
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
  const checked = checkOptions(caller, options, { k: true, train: true, weights: true, temperature: true });
  const { k = 1, train, temperature = 0.07 } = checked;
  const weights = checkChoice(`${caller}: weights`, checked.weights ?? "uniform", ["uniform", "exponential"]);
  checkNumber(`${caller}: temperature`, temperature, { above: 0 });
  if (train !== undefined) checkTrain(`${caller}: train`, train);
  const found = await findNeighbours(caller, features, { among: train?.features, k });
  checkLabels(`${caller}: labels`, labels, found.length);
  if (train) checkLabels(`${caller}: train.labels`, train.labels, rowsOf(train.features));
  const voters = train?.labels ?? labels;
  const weightOf =
    weights === "uniform"
      ? () => 1
      : (similarity: number, largest: number) => Math.exp((similarity - largest) / temperature);
  const right = found.filter((neighbours, i) => vote(neighbours, voters, weightOf) === labels[i]);
  return right.length / found.length;
}

function checkTrain(name: string, train: unknown): void {
  const { features, labels } = (train ?? {}) as { features?: Features; labels?: Labels };
  if (features === undefined || labels === undefined) {
    throw new TypeError(`${name} must be { features, labels }, got ${describe(train)}`);
  }
  checkOptions(name, train as object, { features: true, labels: true } as object);
}

/** The label with the largest weight; the map keeps the order of nearness, so the nearest decides a draw. */
function vote(
  { indices, similarities }: Neighbours,
  labels: Labels,
  weight: (similarity: number, largest: number) => number,
): number | string {
  const votes = new Map<number | string, number>();
  for (const [at, j] of indices.entries()) {
    votes.set(labels[j], (votes.get(labels[j]) ?? 0) + weight(similarities[at], similarities[0]));
  }
  let best = labels[indices[0]];
  for (const [label, sum] of votes) if (sum > votes.get(best)!) best = label;
  return best;
}

const rowsOf = (features: Features): number =>
  "shape" in features ? features.shape[0] : (features as readonly unknown[]).length;
