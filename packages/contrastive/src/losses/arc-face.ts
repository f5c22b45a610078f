import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { stopGradient } from "../math/stop-gradient.js";
import { classOptionNames } from "../proxies/class-weights.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { cosineOfAnglePlus } from "./angular-margin.js";
import { type MarginSoftmaxOptions, marginSoftmax } from "./angular-softmax.js";

/**
 * ArcFace (Deng et al. 2019, eq. 3): cross entropy with logits `scale cos(theta)`, the angle of the own class being made larger by the
 * margin. Where angle and margin together exceed 180 degrees, the cosine is lowered by `margin sin(margin)` instead, so that the loss
 * keeps growing.
 *
 * @param embeddings `[n, dim]`. @param labels `n`, class numbers.
 * @param options weights `[classes, dim]`; margin in degrees, in [0, 180], default 28.6 (0.5 radians); scale, default 64
 * @returns `[n]`, or its reduction; the caller disposes it
 *
 * @example
 * const head = classLossModule(arcFace, { classes: 100, dim: 512 });
 * const loss = head.loss(embeddings, labels, { margin: 20 });
 */
export function arcFace<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: MarginSoftmaxOptions<R>,
): Reduced<R> {
  return arcFaceWithCenters("arcFace", embeddings, { labels, options, rank: 2 });
}

/** {@link arcFace} with one weight vector a class (rank 2) or several (rank 3). */
export function arcFaceWithCenters<R extends Reduction>(
  caller: string,
  embeddings: tf.Tensor,
  { labels, options, rank }: { labels: Labels; options: MarginSoftmaxOptions<R>; rank: 2 | 3 },
): Reduced<R> {
  const {
    weights,
    margin = 28.6,
    scale = 64,
    reduction = "mean" as R,
  } = checkOptions<MarginSoftmaxOptions<R>>(caller, options, {
    ...classOptionNames,
    margin: true,
    scale: true,
  });
  checkFloat(`${caller}: margin`, margin, { min: 0, max: 180 });
  const angle = (margin * Math.PI) / 180;
  const toTarget = (cosines: tf.Tensor) =>
    tf.where(
      stopGradient(cosines, (y) => tf.greaterEqual(y, Math.cos(Math.PI - angle))),
      cosineOfAnglePlus(cosines, angle),
      tf.sub(cosines, angle * Math.sin(angle)),
    );
  return marginSoftmax(caller, embeddings, { labels, weights, rank, scale, toTarget, reduction });
}
