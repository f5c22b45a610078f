import { checkLabels, checkOneKind, type Labels } from "../features/check-labels.js";
import type { Features } from "../features/open-features.js";
import type { SearchOptions } from "../search/score-rows.js";
import { checkFloat } from "../shared/check-float.js";
import { checkChoice, checkOptions, describe } from "../shared/check-options.js";
import { findNeighbours } from "./nearest-neighbours.js";
import type { Neighbours } from "./top-k.js";

/** How neighbours vote. */
export interface VoteOptions extends SearchOptions {
  /** Neighbours that vote. Default 1. */
  k?: number;
  /**
   * The weight of a vote: `"uniform"` (the default), or `"exponential"`, `exp(similarity / temperature)`, the weighted k-NN of
   * instance discrimination (Wu et al. 2018, section 3.4) and DINO.
   */
  weights?: "uniform" | "exponential";
  /** Of the exponential weights, and refused with others. Default 0.07; above 0. */
  temperature?: number;
}

/** Rows that vote, with their labels. */
export interface Voters {
  features: Features;
  labels: Labels;
}

/** One of `labels` and `train`. */
export interface NearestNeighbourPredictionOptions extends VoteOptions {
  /** The labels of the rows themselves: each row is labelled by the others, leave-one-out. */
  labels?: Labels;
  /** Rows that vote in their place. */
  train?: Voters;
}

/**
 * Labels of rows by their k nearest neighbours by cosine: the label with most votes; among equally frequent ones the label of the nearest.
 *
 * @param features `[n, dim]`
 * @returns a label for each row
 *
 * @example
 * const predictions = await nearestNeighbourPredictions(features, { labels, k: 5 });
 * const { counts } = confusionMatrix(labels, predictions);
 */
export async function nearestNeighbourPredictions(
  features: Features,
  options: NearestNeighbourPredictionOptions,
): Promise<(number | string)[]> {
  const caller = "nearestNeighbourPredictions";
  const { labels, train, ...vote } = checkOptions(caller, options, {
    labels: true,
    train: true,
    k: true,
    weights: true,
    temperature: true,
    threads: true,
  });
  if ((labels === undefined) === (train === undefined)) {
    throw new Error(
      `${caller}: expected either labels or train, got ${labels === undefined ? "none" : "both"}`,
    );
  }
  return predictByVotes(caller, features, { labels, train, ...vote });
}

/** {@link nearestNeighbourPredictions}, with the public function's name for errors; `train` votes where there are both. */
export async function predictByVotes(
  caller: string,
  features: Features,
  {
    labels,
    train,
    k = 1,
    weights: given = "uniform",
    temperature: asked,
    threads,
  }: NearestNeighbourPredictionOptions,
): Promise<(number | string)[]> {
  const weights = checkChoice(`${caller}: weights`, given, ["uniform", "exponential"]);
  const temperature = asked ?? 0.07;
  checkFloat(`${caller}: temperature`, temperature, { above: 0 });
  if (asked !== undefined && weights !== "exponential") {
    throw new Error(
      `${caller}: temperature is of weights "exponential", got ${asked} with weights "${weights}"`,
    );
  }
  if (train !== undefined) checkTrain(`${caller}: train`, train);
  const { neighbours: found, searched } = await findNeighbours(caller, features, {
    among: train?.features,
    k,
    threads,
  });
  if (labels !== undefined) checkLabels(`${caller}: labels`, labels, found.length);
  if (train) checkLabels(`${caller}: train.labels`, train.labels, searched);
  if (labels && train) checkOneKind(caller, ["labels", labels], ["train.labels", train.labels]);
  const voters = train?.labels ?? labels!;
  const weightOf =
    weights === "uniform"
      ? () => 1
      : (similarity: number, largest: number) => Math.exp((similarity - largest) / temperature);
  return found.map((own) => vote(own, voters, weightOf));
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
