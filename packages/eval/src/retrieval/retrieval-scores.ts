import * as tf from "@tensorflow/tfjs-core";
import { checkLabels, type Labels, numberLabels } from "../features/check-labels.js";
import { type Features, openSameWidth } from "../features/open-features.js";
import { checkTieTolerance, type TieOptions } from "../features/tie-tolerance.js";
import type { SearchOptions } from "../search/score-rows.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { rightRanks } from "./ranks.js";
import { checkKs, recalls } from "./recall-at-k.js";

export interface RetrievalOptions extends TieOptions, SearchOptions {
  /** The numbers of the right candidates of each query, at least one. */
  right?: readonly (readonly number[])[];
  /** In place of `right`, for a search among the queries themselves: their labels. The others of a query's label are right, at least one. */
  labels?: Labels;
  /** Ranks at which recall is counted. Default 1, 5 and 10. */
  ks?: readonly number[];
}

/** Measures of a search, each in [0, 1]; higher is better. Ties count against it. */
export interface RetrievalScores {
  /** Share of queries with a right candidate among the first k. */
  recall: Record<number, number>;
  /** Mean average precision (Manning, Raghavan & Schuetze 2008, section 8.4). */
  mAP: number;
  /** Mean reciprocal rank of the first right candidate. */
  mrr: number;
  /** Mean share of right ones among the first R, where R is how many a query has. */
  rPrecision: number;
  /** Rank of each query's first right candidate, from 0. */
  ranks: Int32Array;
}

/**
 * Measures a search by cosine similarity.
 *
 * @param queries `[n, dim]`. @param candidates `[m, dim]`, or undefined for the other queries: the protocol of metric learning, in which a row
 *   is not its own candidate
 *
 * @example
 * const { recall, mAP } = await retrievalScores(queries, candidates, { right: [[0, 3], [1]] });
 * const { recall: recallWithin, rPrecision } = await retrievalScores(features, undefined, { labels });
 */
export async function retrievalScores(
  queries: Features,
  candidates: Features | undefined,
  options: RetrievalOptions,
): Promise<RetrievalScores> {
  return search("retrievalScores", { queries, candidates }, options);
}

export interface ImageTextOptions extends TieOptions, SearchOptions {
  /** The image that each text describes; images may have several texts, and each has at least one. */
  imageOf: ArrayLike<number>;
  /** Ranks at which recall is counted. Default 1, 5 and 10. */
  ks?: readonly number[];
}

/**
 * Retrieval both ways, as on Flickr30K and MS-COCO with five captions an image: an image's search is right with any of its captions.
 *
 * @param images `[n, dim]`. @param texts `[m, dim]`
 */
export async function imageTextRetrieval(
  images: Features,
  texts: Features,
  options: ImageTextOptions,
): Promise<{ imageToText: RetrievalScores; textToImage: RetrievalScores }> {
  const caller = "imageTextRetrieval";
  const { imageOf, ...rest } = checkOptions(caller, options, {
    imageOf: true,
    ks: true,
    tieTolerance: true,
    threads: true,
  });
  if (typeof imageOf !== "object" || imageOf === null || !(imageOf.length > 0)) {
    throw new TypeError(`${caller}: imageOf must hold an image for each text, got ${describe(imageOf)}`);
  }
  const opened = await openSameWidth(caller, { images, texts });
  try {
    const [n, m] = [opened.images.shape[0], opened.texts.shape[0]];
    if (imageOf.length !== m) {
      throw new Error(`${caller}: imageOf must hold an image for each of ${m} texts, got ${imageOf.length}`);
    }
    const ofText = Array.from(imageOf, (image, i) => [
      checkNumber(`${caller}: imageOf[${i}]`, image, { min: 0, max: n - 1, integer: true }),
    ]);
    const ofImage = Array.from({ length: n }, (): number[] => []);
    for (const [text, [image]] of ofText.entries()) ofImage[image].push(text);
    const without = ofImage.findIndex((list) => list.length === 0);
    if (without >= 0) throw new Error(`${caller}: image ${without} has no text in imageOf`);
    const [x, y] = [opened.images, opened.texts];
    return {
      imageToText: await search(caller, { queries: x, candidates: y }, { right: ofImage, ...rest }),
      textToImage: await search(caller, { queries: y, candidates: x }, { right: ofText, ...rest }),
    };
  } finally {
    tf.dispose(opened);
  }
}

async function search(
  caller: string,
  inputs: { queries: Features; candidates: Features | undefined },
  options: RetrievalOptions,
): Promise<RetrievalScores> {
  const names = { right: true, labels: true, ks: true, tieTolerance: true, threads: true } as const;
  const checked = checkOptions(caller, options, names);
  const { labels, ks = [1, 5, 10], threads } = checked;
  if (labels !== undefined && (checked.right !== undefined || inputs.candidates !== undefined)) {
    const other = checked.right !== undefined ? "right" : "candidates";
    throw new Error(
      `${caller}: labels cannot be used with ${other}; they are of the queries, which search one another`,
    );
  }
  const right = labels === undefined ? checked.right : othersOfLabel(`${caller}: labels`, labels);
  const tie = checkTieTolerance(caller, checked);
  checkKs(caller, ks);
  if (!Array.isArray(right))
    throw new TypeError(`${caller}: right must be a list for each query, got ${describe(right)}`);
  const ranks = await rightRanks(caller, inputs, {
    tie,
    threads,
    rightOf: (query, count) => {
      if (labels !== undefined && query === 0) checkLabels(`${caller}: labels`, labels, count);
      const list: unknown = right[query];
      if (!Array.isArray(list))
        throw new Error(`${caller}: right[${query}] must be a list of candidates, got ${describe(list)}`);
      for (const j of list)
        checkNumber(`${caller}: right[${query}]`, j, { min: 0, max: count - 1, integer: true });
      return [...new Set(list as number[])];
    },
  });
  if (right.length !== ranks.length) {
    throw new Error(
      `${caller}: right must have a list for each of ${ranks.length} queries, got ${right.length}`,
    );
  }
  const mean = (of: (own: Int32Array) => number) =>
    ranks.reduce((sum, own) => sum + of(own), 0) / ranks.length;
  return {
    recall: recalls(ranks, ks),
    mAP: mean((own) => own.reduce((sum, rank, place) => sum + (place + 1) / (rank + 1), 0) / own.length),
    mrr: mean(([first]) => 1 / (first + 1)),
    rPrecision: mean((own) => own.filter((rank) => rank < own.length).length / own.length),
    ranks: Int32Array.from(ranks, ([first]) => first),
  };
}

/** For each row the other rows of its label. */
function othersOfLabel(name: string, labels: Labels): number[][] {
  checkLabels(name, labels, labels?.length);
  const { names, numbers } = numberLabels(labels);
  const rows = names.map((): number[] => []);
  for (const [row, label] of numbers.entries()) rows[label].push(row);
  return Array.from(numbers, (label, row) => rows[label].filter((other) => other !== row));
}
