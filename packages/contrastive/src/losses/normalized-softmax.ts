import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { crossEntropy } from "../math/cross-entropy.js";
import { type ClassLossOptions, classOptionNames, readClasses } from "../proxies/class-weights.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

export interface NormalizedSoftmaxOptions<R extends Reduction = Reduction> extends ClassLossOptions<R> {
  /** Greater than 0. Default 0.05. */
  temperature?: number;
}

/**
 * Normalised softmax (Zhai and Wu 2019, eq. 3): cross entropy of the cosines of normalised rows and class weights, divided by the
 * temperature.
 *
 * @param embeddings `[n, dim]`. @param labels `n`, class numbers.
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function normalizedSoftmax<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: NormalizedSoftmaxOptions<R>,
): Reduced<R> {
  const caller = "normalizedSoftmax";
  const {
    weights,
    temperature = 0.05,
    reduction = "mean" as R,
  } = checkOptions<NormalizedSoftmaxOptions<R>>(caller, options, { ...classOptionNames, temperature: true });
  checkFloat(`${caller}: temperature`, temperature, { above: 0 });
  return tf.tidy(() => {
    const { x, proxies } = readClasses(caller, embeddings, { labels, weights, rank: 2 });
    const cosines = tf.matMul(l2Normalize(x), l2Normalize(proxies), false, true);
    const anchor = Int32Array.from({ length: x.shape[0] }, (_, i) => i);
    const losses = crossEntropy(tf.div(cosines, temperature), labels);
    return reduce(losses, reduction, { anchor, count: anchor.length, labels });
  }) as Reduced<R>;
}
