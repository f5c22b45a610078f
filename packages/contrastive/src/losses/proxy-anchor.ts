import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { classMask } from "../math/cross-entropy.js";
import { keepWhere, logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { classOptionNames, readClasses } from "../proxies/class-weights.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";
import type { Trainable } from "../shared/trainable.js";

export interface ProxyAnchorOptions {
  /** The proxies, `[classes, dim]`; trained with the model. */
  weights: Trainable;
  /** Default 0.1. */
  margin?: number;
  /** Factor of the cosines, greater than 0. Default 32. */
  alpha?: number;
}

/**
 * Proxy anchor loss (Kim et al. 2020, eq. 4): with the proxies as anchors,
 *
 *     mean over proxies with a row in the batch of log(1 + sum_{own rows} exp(-alpha (s - margin)))
 *     + mean over all proxies of log(1 + sum_{other rows} exp(alpha (s + margin))).
 *
 * The two means are over different proxies, so there is one value for the batch and no reduction.
 *
 * @param embeddings `[n, dim]`. @param labels `n`, class numbers.
 * @returns a scalar; the caller disposes it
 */
export function proxyAnchor(embeddings: tf.Tensor, labels: Labels, options: ProxyAnchorOptions): tf.Scalar {
  const {
    weights,
    margin = 0.1,
    alpha = 32,
  } = checkOptions<ProxyAnchorOptions>("proxyAnchor", options, {
    weights: classOptionNames.weights,
    margin: true,
    alpha: true,
  });
  checkFloat("proxyAnchor: margin", margin);
  checkFloat("proxyAnchor: alpha", alpha, { above: 0 });
  return tf.tidy(() => {
    const { x, proxies, classes } = readClasses("proxyAnchor", embeddings, { labels, weights, rank: 2 });
    const cosines = tf.matMul(l2Normalize(proxies), l2Normalize(x), false, true);
    const own = tf.cast(tf.transpose(tf.cast(classMask(labels, classes), "int32")), "bool");
    const together = logOnePlusSumExp(keepWhere(own, tf.mul(tf.sub(cosines, margin), -alpha)));
    const apart = logOnePlusSumExp(keepWhere(tf.logicalNot(own), tf.mul(tf.add(cosines, margin), alpha)));
    const present = new Set(Array.from(labels)).size;
    return tf.add(tf.div(tf.sum(together), present), tf.mean(apart)) as tf.Scalar;
  });
}
