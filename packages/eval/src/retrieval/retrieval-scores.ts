import * as tf from "@tensorflow/tfjs-core";
import { checkLabels, type Labels, numberLabels } from "../features/check-labels.js";
import { type Features, openSameWidth } from "../features/open-features.js";
import { checkTieTolerance, type TieOptions } from "../features/tie-tolerance.js";
import type { SearchOptions } from "../search/score-rows.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { forEachRightRanks } from "./ranks.js";
import { checkKs, recalls } from "./recall-at-k.js";

export interface RetrievalOptions extends TieOptions, SearchOptions {
  /** The numbers of the right candidates of each query, at least one. */
  right?: readonly ArrayLike<number>[];
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
  const tie = checkTieTolerance(caller, checked);
  checkKs(caller, ks);
  const right = labels === undefined ? rightFrom(caller, checked.right) : othersOfLabel(caller, labels);
  const best: number[] = [];
  const sums = { mAP: 0, mrr: 0, rPrecision: 0 };
  await forEachRightRanks(caller, inputs, { tie, threads, rightOf: right.of }, (own) => {
    best.push(own[0]);
    sums.mAP += own.reduce((sum, rank, place) => sum + (place + 1) / (rank + 1), 0) / own.length;
    sums.mrr += 1 / (own[0] + 1);
    sums.rPrecision += own.filter((rank) => rank < own.length).length / own.length;
  });
  const n = best.length;
  if (right.length !== n) {
    throw new Error(`${caller}: right must have a list for each of ${n} queries, got ${right.length}`);
  }
  return {
    recall: recalls(best, ks),
    mAP: sums.mAP / n,
    mrr: sums.mrr / n,
    rPrecision: sums.rPrecision / n,
    ranks: Int32Array.from(best),
  };
}

/** The right candidates of each query. */
interface Right {
  length: number;
  of: (query: number, candidates: number) => readonly number[];
}

function rightFrom(caller: string, right: unknown): Right {
  if (!Array.isArray(right))
    throw new TypeError(`${caller}: right must be a list for each query, got ${describe(right)}`);
  return {
    length: right.length,
    of: (query, candidates) => {
      const list: unknown = right[query];
      if (!Array.isArray(list) && !ArrayBuffer.isView(list))
        throw new Error(`${caller}: right[${query}] must be a list of candidates, got ${describe(list)}`);
      const range = { min: 0, max: candidates - 1, integer: true };
      const checked = Array.from(list as ArrayLike<unknown>, (j) =>
        checkNumber(`${caller}: right[${query}]`, j, range),
      );
      return [...new Set(checked)];
    },
  };
}

/** For each row the other rows of its label; made when they are asked for, since all are as many as pairs of rows. */
function othersOfLabel(caller: string, labels: Labels): Right {
  checkLabels(`${caller}: labels`, labels, labels?.length);
  const { names, numbers } = numberLabels(labels);
  const rows = names.map((): number[] => []);
  for (const [row, label] of numbers.entries()) rows[label].push(row);
  return {
    length: labels.length,
    of: (query, candidates) => {
      if (query === 0) checkLabels(`${caller}: labels`, labels, candidates);
      return rows[numbers[query]].filter((other) => other !== query);
    },
  };
}
