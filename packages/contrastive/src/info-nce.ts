import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkSameShape, checkTemperature } from "./checks.js";
import { type ContrastiveOptions, contrast } from "./multi-positive.js";
import { type Reduced, type Reduction, reduce } from "./reduction.js";
import { cosineSimilarity } from "./similarity.js";
import { diagonal } from "./sup-con.js";

export interface InfoNCEOptions<R extends Reduction = Reduction> extends ContrastiveOptions<R> {
  /**
   * Negatives in place of the other rows' positives: `[m, dim]` for all queries (MoCo's queue), or `[n, m, dim]`, each
   * query's own, m >= 1. A batch of one is allowed with them.
   */
  negatives?: tf.Tensor2D | tf.Tensor3D;
}

/**
 * InfoNCE (van den Oord et al. 2018, eq. 4): `-log( exp(s(q_i, k_i)/t) / sum_j exp(s(q_i, k_j)/t) )`, the candidates
 * `k_j` being all rows' positives, or the own positive and the given negatives (He et al. 2020, eq. 1).
 *
 * @param query `[n, dim]`, n >= 2. @param positive `[n, dim]`; row i belongs to query i.
 * @returns `[n]`, or its reduction.
 * @throws on a batch of one without negatives, on shapes that do not agree and on a temperature that is not positive.
 */
export function infoNCE<R extends Reduction = "mean">(
  query: tf.Tensor2D,
  positive: tf.Tensor2D,
  options: InfoNCEOptions<R> = {},
): Reduced<R> {
  const { negatives, ...rest } = options;
  const [n, dim] = query.shape;
  checkSameShape("infoNCE", { query, positive });
  if (!negatives) {
    checkBatch("infoNCE", n);
    return contrast("infoNCE", query, positive, diagonal(n), rest);
  }
  const { temperature = 0.1, similarity = cosineSimilarity, reduction = "mean" as R } = options;
  checkTemperature("infoNCE", temperature);
  const own = negatives.rank === 3;
  const m = negatives.shape[own ? 1 : 0]!;
  const expected = own ? [n, m, dim] : [m, dim];
  if (m === 0 || String(negatives.shape) !== String(expected)) {
    throw new Error(
      `infoNCE: negatives must be [m >= 1, ${dim}] or [${n}, m >= 1, ${dim}], got [${negatives.shape}]`,
    );
  }
  return tf.tidy(() => {
    const rows = tf.split(query, n) as tf.Tensor2D[];
    const pairwise = (candidates: tf.Tensor2D[]) =>
      tf.concat(rows.map((row, i) => similarity(row, candidates[i])));
    const toPositive = pairwise(tf.split(positive, n) as tf.Tensor2D[]);
    const toNegatives = own
      ? pairwise(tf.split(negatives as tf.Tensor3D, n).map((x) => tf.reshape(x, [m, dim]) as tf.Tensor2D))
      : similarity(query, negatives as tf.Tensor2D);
    const scores = tf.div(tf.concat([toPositive, toNegatives], 1), temperature);
    const score = tf.reshape(tf.slice(scores, [0, 0], [n, 1]), [n]);
    return reduce(tf.sub(tf.logSumExp(scores, 1), score) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

/**
 * NT-Xent (SimCLR; Chen et al. 2020, eq. 1): each of the 2n views has the same image's other view as positive, and all
 * other 2n - 2 views as negatives.
 *
 * @param viewA `[n, dim]`, n >= 2. @param viewB `[n, dim]`; row i is of the same image.
 * @returns `[2n]`, view A's first, or its reduction.
 * @throws on a batch of one, on shapes that do not agree and on a temperature that is not positive.
 */
export function ntXent<R extends Reduction = "mean">(
  viewA: tf.Tensor2D,
  viewB: tf.Tensor2D,
  options: ContrastiveOptions<R> = {},
): Reduced<R> {
  checkSameShape("ntXent", { viewA, viewB });
  const n = viewA.shape[0];
  checkBatch("ntXent", n);
  const count = 2 * n;
  const positive = Uint8Array.from({ length: count * count }, (_, at) =>
    Number(at % count === (Math.floor(at / count) + n) % count),
  );
  return tf.tidy(() => {
    const views = tf.concat([viewA, viewB]) as tf.Tensor2D;
    return contrast("ntXent", views, views, positive, { ...options, excluded: diagonal(count) });
  }) as Reduced<R>;
}
