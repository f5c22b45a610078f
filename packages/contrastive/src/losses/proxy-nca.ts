import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { compare, type Distance } from "../distances/distance.js";
import { lpDistance } from "../distances/lp-distance.js";
import { crossEntropy } from "../math/cross-entropy.js";
import { type ClassLossOptions, classOptionNames, readClasses } from "../proxies/class-weights.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";

export interface ProxyNCAOptions<R extends Reduction = Reduction> extends ClassLossOptions<R> {
  /** Factor of the distances, greater than 0. Default 1. */
  softmaxScale?: number;
  /** Default `lpDistance({ power: 2 })`: squared Euclidean, of normalised rows. */
  distance?: Distance;
}

/**
 * Proxy-NCA (Movshovitz-Attias et al. 2017, in the form of ProxyNCA++, Teh et al. 2020, with the own proxy in the denominator, as in
 * pytorch-metric-learning): the cross entropy of the negative distances to the proxies.
 *
 * @param embeddings `[n, dim]`. @param labels `n`, class numbers.
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function proxyNCA<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: ProxyNCAOptions<R>,
): Reduced<R> {
  const {
    weights,
    softmaxScale = 1,
    distance = lpDistance({ power: 2 }),
    reduction = "mean" as R,
  } = checkOptions<ProxyNCAOptions<R>>("proxyNCA", options, {
    ...classOptionNames,
    softmaxScale: true,
    distance: "function",
  });
  checkFloat("proxyNCA: softmaxScale", softmaxScale, { above: 0 });
  return tf.tidy(() => {
    const { x, proxies } = readClasses("proxyNCA", embeddings, { labels, weights, rank: 2 });
    const matrix = compare(x, proxies, { caller: "proxyNCA", distance });
    const anchor = Int32Array.from({ length: x.shape[0] }, (_, i) => i);
    const losses = crossEntropy(tf.mul(matrix, -softmaxScale), labels);
    return reduce(losses, reduction, { anchor, count: anchor.length, labels });
  }) as Reduced<R>;
}
