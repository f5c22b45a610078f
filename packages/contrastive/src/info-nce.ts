import * as tf from "@tensorflow/tfjs-core";
import { multiPositive } from "./multi-positive.js";
import { checkPair, checkTemperature, reduce, type Reduced, type Reduction } from "./reduction.js";
import { cosineSimilarity } from "./similarity.js";

export interface InfoNCEOptions<R extends Reduction = "mean"> {
  /** Default 0.1. */
  temperature?: number;
  /** Default `"mean"`. */
  reduction?: R;
}

/**
 * InfoNCE (van den Oord et al. 2018, eq. 4) with the other rows' keys as negatives:
 * `-s(q_i, k_i)/t + log sum_j exp(s(q_i, k_j)/t)`, cosine similarity `s`.
 *
 * @param query `[n, dim]`, n >= 2. @param key `[n, dim]`; row i is the positive of query i.
 */
export function infoNCE<R extends Reduction = "mean">(
  query: tf.Tensor2D,
  key: tf.Tensor2D,
  options: InfoNCEOptions<R> = {},
): Reduced<R> {
  const { temperature = 0.1, reduction = "mean" as R } = options;
  checkPair("infoNCE", query, key);
  checkTemperature("infoNCE", temperature);
  return tf.tidy(() => {
    const scores = tf.div(cosineSimilarity(query, key), temperature);
    const own = tf.sum(tf.mul(scores, tf.eye(query.shape[0])), 1);
    return reduce(tf.sub(tf.logSumExp(scores, 1), own) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

/**
 * NT-Xent (SimCLR; Chen et al. 2020, eq. 1): InfoNCE over both views together, each view the other's positive and
 * all other 2n - 2 rows negatives.
 *
 * @param viewA `[n, dim]`, n >= 2. @param viewB `[n, dim]`. @returns 2n losses, view A's first, or their reduction.
 */
export function ntXent<R extends Reduction = "mean">(
  viewA: tf.Tensor2D,
  viewB: tf.Tensor2D,
  options: InfoNCEOptions<R> = {},
): Reduced<R> {
  checkPair("ntXent", viewA, viewB);
  const n = viewA.shape[0];
  const mask = new Uint8Array(4 * n * n);
  for (let i = 0; i < 2 * n; i++) mask[i * 2 * n + ((i + n) % (2 * n))] = 1;
  return tf.tidy(() => multiPositive(tf.concat([viewA, viewB]) as tf.Tensor2D, mask, options)) as Reduced<R>;
}
