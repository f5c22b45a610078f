import type * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import type { MarginSoftmaxOptions } from "./angular-softmax.js";
import { arcFaceWithCenters } from "./arc-face.js";

/**
 * Sub-center ArcFace (Deng et al. 2020, eq. 4): {@link arcFace} with several weight vectors for each class, of which the nearest to the
 * row counts, so that noisy samples gather at centers of their own.
 *
 * @param embeddings `[n, dim]`. @param labels `n`, class numbers.
 * @param options weights `[classes, centers, dim]`; else as for {@link arcFace}
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function subCenterArcFace<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: MarginSoftmaxOptions<R>,
): Reduced<R> {
  return arcFaceWithCenters("subCenterArcFace", embeddings, { labels, options, rank: 3 });
}
