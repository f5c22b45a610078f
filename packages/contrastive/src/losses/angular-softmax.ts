import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { classMask, crossEntropy } from "../math/cross-entropy.js";
import { type ClassLossOptions, readClasses } from "../proxies/class-weights.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { l2Normalize } from "../shared/l2-normalize.js";
import type { Trainable } from "../shared/trainable.js";

/** Options of the softmax losses with a margin on the cosine or the angle. */
export interface MarginSoftmaxOptions<R extends Reduction = Reduction> extends ClassLossOptions<R> {
  /** The margin: in degrees for ArcFace (default 28.6), of the cosine for CosFace (default 0.35). At least 0. */
  margin?: number;
  /** Factor of the cosines, greater than 0. Default 64. */
  scale?: number;
}

/** Cross entropy of scaled cosines, of which those of the rows' own classes are made smaller by `toTarget`. */
export function marginSoftmax<R extends Reduction>(
  caller: string,
  embeddings: tf.Tensor,
  given: {
    labels: Labels;
    weights: Trainable;
    rank: 2 | 3;
    scale: number;
    toTarget: (cosines: tf.Tensor) => tf.Tensor;
    reduction: R;
  },
): Reduced<R> {
  const { labels, weights, rank, scale, toTarget, reduction } = given;
  checkFloat(`${caller}: scale`, scale, { above: 0 });
  return tf.tidy(() => {
    const { x, proxies, classes, centers } = readClasses(caller, embeddings, { labels, weights, rank });
    const all = tf.matMul(l2Normalize(x), l2Normalize(proxies), false, true);
    // Of a class's centers the nearest counts.
    const cosines = centers > 1 ? tf.max(tf.reshape(all, [-1, classes, centers]), 2) : all;
    const logits = tf.mul(tf.where(classMask(labels, classes), toTarget(cosines), cosines), scale);
    const anchor = Int32Array.from({ length: x.shape[0] }, (_, i) => i);
    return reduce(crossEntropy(logits, labels), reduction, { anchor, count: anchor.length, labels });
  }) as Reduced<R>;
}
