import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { classOptionNames } from "../proxies/class-weights.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type MarginSoftmaxOptions, marginSoftmax } from "./angular-softmax.js";

/**
 * CosFace (Wang et al. 2018, eq. 4): cross entropy with logits `scale cos(theta)`, the cosine of the own class being made smaller by the
 * margin.
 *
 * @param embeddings `[n, dim]`. @param labels `n`, class numbers.
 * @param options weights `[classes, dim]`; margin of the cosine, in [0, 2], default 0.35; scale, default 64
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function cosFace<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: MarginSoftmaxOptions<R>,
): Reduced<R> {
  const {
    weights,
    margin = 0.35,
    scale = 64,
    reduction = "mean" as R,
  } = checkOptions<MarginSoftmaxOptions<R>>("cosFace", options, {
    ...classOptionNames,
    margin: true,
    scale: true,
  });
  checkFloat("cosFace: margin", margin, { min: 0, max: 2 });
  const toTarget = (cosines: tf.Tensor) => tf.sub(cosines, margin);
  return marginSoftmax("cosFace", embeddings, { labels, weights, rank: 2, scale, toTarget, reduction });
}
