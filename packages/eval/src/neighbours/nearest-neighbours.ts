import * as tf from "@tensorflow/tfjs-core";
import { type Features, openSameWidth } from "../features/open-features.js";
import { forEachScoreRow, type SearchOptions } from "../search/score-rows.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { type Neighbours, topK } from "./top-k.js";

export interface NearestNeighboursOptions extends SearchOptions {
  /** Rows to search, `[m, dim]`. Default: the features themselves, where a row is not its own neighbour. */
  among?: Features;
  /** Neighbours of each row. Default 1. */
  k?: number;
}

/**
 * The k nearest rows by cosine, for each row; of equally near ones those that come first. Rows are compared in blocks, so
 * that memory does not grow with their square.
 *
 * @param features `[n, dim]`
 * @returns for each row its neighbours
 */
export async function nearestNeighbours(
  features: Features,
  options?: NearestNeighboursOptions,
): Promise<Neighbours[]> {
  const checked = checkOptions("nearestNeighbours", options, { among: true, k: true, threads: true });
  const { among, k = 1, threads } = checked;
  const { neighbours } = await findNeighbours("nearestNeighbours", features, { among, k, threads });
  return neighbours;
}

/** {@link nearestNeighbours}, with the public function's name for errors, and how many rows were searched. */
export async function findNeighbours(
  caller: string,
  features: Features,
  { among, k, threads }: { among: Features | undefined; k: number } & SearchOptions,
): Promise<{ neighbours: Neighbours[]; searched: number }> {
  checkNumber(`${caller}: k`, k, { min: 1, integer: true });
  const opened: { features: tf.Tensor2D; among?: tf.Tensor2D } =
    among === undefined
      ? await openSameWidth(caller, { features })
      : await openSameWidth(caller, { features, among });
  const { features: rows, among: candidates } = opened;
  try {
    if (!candidates && rows.shape[0] < 2) {
      throw new Error(`${caller}: features must have at least 2 rows to find one another, got 1`);
    }
    const most = candidates ? candidates.shape[0] : rows.shape[0] - 1;
    checkNumber(`${caller}: k`, k, { min: 1, max: most, integer: true });
    const found: Neighbours[] = [];
    const compared = { queries: rows, candidates: candidates ?? rows, threads };
    await forEachScoreRow(caller, compared, (row, scores) => {
      found.push(topK(scores, k, candidates ? -1 : row));
    });
    return { neighbours: found, searched: (candidates ?? rows).shape[0] };
  } finally {
    tf.dispose([rows, ...(candidates ? [candidates] : [])]);
  }
}
