import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { classMask, crossEntropy } from "../math/cross-entropy.js";
import { type ClassLossOptions, classOptionNames, readClasses } from "../proxies/class-weights.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

export interface SoftTripleOptions<R extends Reduction = Reduction> extends ClassLossOptions<R> {
  /** Factor of the similarities, greater than 0 (lambda in the paper). Default 20. */
  scale?: number;
  /** Temperature of the softmax over a class's centers, greater than 0. Default 0.1. */
  gamma?: number;
  /** Default 0.01. */
  margin?: number;
}

/**
 * SoftTriple (Qian et al. 2019, eq. 8): cross entropy over the classes, whose similarity to a row is the softmax-weighted mean of their
 * centers' cosines.
 *
 * @param embeddings `[n, dim]`. @param labels `n`, class numbers.
 * @param options weights `[classes, centers, dim]`
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function softTriple<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: SoftTripleOptions<R>,
): Reduced<R> {
  const {
    weights,
    scale = 20,
    gamma = 0.1,
    margin = 0.01,
    reduction = "mean" as R,
  } = checkOptions<SoftTripleOptions<R>>("softTriple", options, {
    ...classOptionNames,
    scale: true,
    gamma: true,
    margin: true,
  });
  checkFloat("softTriple: scale", scale, { above: 0 });
  checkFloat("softTriple: gamma", gamma, { above: 0 });
  checkFloat("softTriple: margin", margin, { min: 0 });
  return tf.tidy(() => {
    const { x, proxies, classes, centers } = readClasses("softTriple", embeddings, {
      labels,
      weights,
      rank: 3,
    });
    const cosines = tf.reshape(tf.matMul(l2Normalize(x), l2Normalize(proxies), false, true), [
      -1,
      classes,
      centers,
    ]);
    const similarity = tf.sum(tf.mul(tf.softmax(tf.div(cosines, gamma)), cosines), 2);
    const margins = tf.mul(tf.cast(classMask(labels, classes), "float32"), margin);
    const losses = crossEntropy(tf.mul(tf.sub(similarity, margins), scale), labels);
    const anchor = Int32Array.from({ length: x.shape[0] }, (_, i) => i);
    return reduce(losses, reduction, { anchor, count: anchor.length, labels });
  }) as Reduced<R>;
}
