import * as tf from "@tensorflow/tfjs-core";
import { type Features, openSameWidth } from "../features/open-features.js";
import { forEachSimilarityRow } from "../features/similarity-rows.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { type Neighbours, topK } from "./top-k.js";

export interface NearestNeighboursOptions {
  /** Rows to search, `[m, dim]`. Default: the features themselves, where a row is not its own neighbour. */
  among?: Features;
  /** Neighbours of each row. Default 1. */
  k?: number;
}

/**
 * The k nearest rows by cosine, for each row; of equally near ones those that come first. Similarities are computed in blocks,
 * so memory does not grow with the square of the rows.
 *
 * @param features `[n, dim]`
 * @returns for each row its neighbours
 */
export async function nearestNeighbours(
  features: Features,
  options?: NearestNeighboursOptions,
): Promise<Neighbours[]> {
  const { among, k = 1 } = checkOptions("nearestNeighbours", options, { among: true, k: true });
  const { neighbours } = await findNeighbours("nearestNeighbours", features, { among, k });
  return neighbours;
}

/** {@link nearestNeighbours}, with the public function's name for errors, and how many rows were searched. */
export async function findNeighbours(
  caller: string,
  features: Features,
  { among, k }: { among: Features | undefined; k: number },
): Promise<{ neighbours: Neighbours[]; searched: number }> {
  checkNumber(`${caller}: k`, k, { min: 1, integer: true });
  const opened: { features: tf.Tensor2D; among?: tf.Tensor2D } =
    among === undefined
      ? await openSameWidth(caller, { features })
      : await openSameWidth(caller, { features, among });
  const { features: rows, among: candidates } = opened;
  try {
    const most = candidates ? candidates.shape[0] : rows.shape[0] - 1;
    checkNumber(`${caller}: k`, k, { min: 1, max: most, integer: true });
    const found: Neighbours[] = [];
    await forEachSimilarityRow(rows, candidates ?? rows, (row, similarities) => {
      found.push(topK(similarities, k, candidates ? -1 : row));
    });
    return { neighbours: found, searched: (candidates ?? rows).shape[0] };
  } finally {
    tf.dispose([rows, ...(candidates ? [candidates] : [])]);
  }
}
