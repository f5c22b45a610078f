import * as tf from "@tensorflow/tfjs-core";
import { checkTemperature, reduce, type Reduced, type Reduction } from "./reduction.js";
import { cosineSimilarity } from "./similarity.js";

export interface MultiPositiveOptions<R extends Reduction = "mean"> {
  /** Default 0.1. */
  temperature?: number;
  /**
   * Where the sum over positives stands: `"out"` averages their log-probabilities (Khosla et al. 2020, eq. 2),
   * `"in"` takes the logarithm of their summed probability (eq. 3 without its factor 1/|P|). Default `"out"`.
   */
  positives?: "out" | "in";
  /** Default `"mean"`. */
  reduction?: R;
}

/**
 * Supervised contrastive loss with any set of positives:
 * `out`: `-1/|P(i)| sum_{j in P(i)} log q_ij`, `in`: `-log sum_{j in P(i)} q_ij`,
 * with `q_ij = exp(s_ij / t) / sum_{k != i} exp(s_ik / t)` and cosine similarity `s`.
 *
 * @param features `[n, dim]`, n >= 2.
 * @param positive whether j is a positive of i, row by row, `n * n`; the diagonal is ignored.
 * @throws when a row has no positive.
 */
export function multiPositive<R extends Reduction = "mean">(
  features: tf.Tensor2D,
  positive: ArrayLike<boolean | number>,
  options: MultiPositiveOptions<R> = {},
): Reduced<R> {
  const { temperature = 0.1, positives = "out", reduction = "mean" as R } = options;
  const n = features.shape[0];
  checkTemperature("multiPositive", temperature);
  if (features.rank !== 2 || n < 2) {
    throw new Error(`multiPositive: features must be [n >= 2, dim], got [${features.shape}]`);
  }
  if (positive.length !== n * n) {
    throw new Error(`multiPositive: positive must have n * n = ${n * n} entries, got ${positive.length}`);
  }
  const mask = Float32Array.from({ length: n * n }, (_, at) => (at % (n + 1) !== 0 && positive[at] ? 1 : 0));
  const counts = Array.from({ length: n }, (_, i) => mask.subarray(i * n, (i + 1) * n).reduce((a, b) => a + b, 0));
  const lonely = counts.indexOf(0);
  if (lonely >= 0) throw new Error(`multiPositive: row ${lonely} has no positive`);
  return tf.tidy(() => {
    const diagonal = tf.eye(n);
    const positiveMask = tf.tensor2d(mask, [n, n]);
    const scores = tf.div(cosineSimilarity(features, features), temperature);
    const others = tf.sub(scores, tf.mul(diagonal, 1e9));
    const total = tf.logSumExp(others, 1);
    const wanted =
      positives === "out"
        ? tf.div(tf.sum(tf.mul(scores, positiveMask), 1), tf.tensor1d(counts))
        : tf.logSumExp(tf.sub(scores, tf.mul(tf.sub(1, positiveMask), 1e9)), 1);
    return reduce(tf.sub(total, wanted) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

/** {@link multiPositive} with rows of equal label as positives (SupCon, Khosla et al. 2020, eq. 2). */
export function supCon<R extends Reduction = "mean">(
  features: tf.Tensor2D,
  labels: ArrayLike<number>,
  options: MultiPositiveOptions<R> = {},
): Reduced<R> {
  const n = features.shape[0];
  if (labels.length !== n) throw new Error(`supCon: expected ${n} labels, one for each row, got ${labels.length}`);
  const mask = Uint8Array.from({ length: n * n }, (_, at) =>
    labels[Math.floor(at / n)] === labels[at % n] ? 1 : 0,
  );
  return multiPositive(features, mask, options);
}
