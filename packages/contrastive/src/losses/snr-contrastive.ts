import type * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { snrDistance } from "../distances/snr-distance.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { type ContrastiveLossOptions, pairMarginLoss } from "./contrastive-loss.js";

/**
 * Contrastive loss on the signal-to-noise distance (Yuan et al. 2019, eq. 8): {@link contrastiveLoss} with {@link snrDistance}.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns as {@link contrastiveLoss}; the caller disposes it
 */
export function snrContrastive<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: Omit<ContrastiveLossOptions<R>, "distance"> = {},
): Reduced<R> {
  return pairMarginLoss("snrContrastive", embeddings, { labels, options, defaultDistance: snrDistance });
}
