import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkSameShape, toFloat } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { compare, type Similarity } from "../distances/distance.js";
import { logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions, describe } from "../shared/check-options.js";
import { type Flags, givenMask, type MaskRows, maskBy } from "./masks.js";
import { type ContrastiveOptions, contrast, contrastiveOptionNames } from "./multi-positive.js";

export interface InfoNCEOptions<R extends Reduction = Reduction> extends ContrastiveOptions<R> {
  /**
   * Negatives in place of the other rows' positives: `[m, dim]` for all queries (MoCo's queue), or `[n, m, dim]`, each
   * query's own, m >= 1. A batch of one is allowed with them.
   */
  negatives?: tf.Tensor;
  /** Adds the loss of the positives as queries, and halves the sum. Not with `negatives`. Default false. */
  symmetric?: boolean;
  /**
   * Queries at once, at least 1: memory is then `O(blockSize n)` in place of `O(n^2)`, with the same values and gradients, at the price of
   * one more forward pass. Not with `negatives`. Default: all queries.
   */
  blockSize?: number;
  /**
   * Whether positive j takes no part for query i, such as a false negative, row by row, `n * n`. Not with `negatives`.
   * Default none is left out.
   */
  excluded?: Flags;
}

/**
 * InfoNCE (van den Oord et al. 2018, eq. 4): `-log( exp(s(q_i, k_i)/t) / sum_j exp(s(q_i, k_j)/t) )`, the candidates
 * `k_j` being all rows' positives, or the own positive and the given negatives (He et al. 2020, eq. 1).
 *
 * @param query `[n, dim]`, n >= 2. @param positive `[n, dim]`; row i belongs to query i.
 * @returns `[n]`, or its reduction; the caller disposes it
 * @throws on a batch of one without negatives, on shapes that do not agree, on a temperature that is not positive and on unknown
 *   options
 */
export function infoNCE<R extends Reduction = "mean">(
  query: tf.Tensor,
  positive: tf.Tensor,
  options: InfoNCEOptions<R> = {},
): Reduced<R> {
  const caller = "infoNCE";
  const {
    negatives,
    symmetric = false,
    blockSize,
    excluded,
    ...rest
  } = checkOptions<InfoNCEOptions<R>>(caller, options, {
    ...contrastiveOptionNames,
    negatives: true,
    symmetric: "boolean",
    blockSize: true,
    excluded: true,
  });
  const { temperature = 0.1, similarity = cosineSimilarity, reduction = "mean" as R } = rest;
  checkFloat(`${caller}: temperature`, temperature, { above: 0 });
  if (negatives !== undefined) {
    const other = Object.entries({ symmetric: symmetric || undefined, blockSize, excluded }).find(
      ([, value]) => value !== undefined,
    );
    if (other) throw new Error(`${caller}: negatives cannot be used with ${other[0]}`);
  }
  return tf.tidy(() => {
    const rows = checkSameShape(caller, { query, positive });
    const n = rows.query.shape[0];
    if (negatives !== undefined) {
      return reduce(lossWithNegatives(rows, negatives, { temperature, similarity }), reduction);
    }
    checkBatch(caller, n);
    const left = excluded !== undefined ? givenMask(`${caller}: excluded`, excluded, [n, n]) : undefined;
    const oneWay = (
      anchors: tf.Tensor2D,
      candidates: tf.Tensor2D,
      without: MaskRows | undefined,
    ): tf.Tensor1D =>
      contrast(caller, {
        anchors,
        candidates,
        positive: maskBy(n, (i, j) => i === j),
        excluded: without,
        options: { temperature, similarity, blockSize, reduction: "none" },
      });
    const losses = oneWay(rows.query, rows.positive, left);
    if (!symmetric) return reduce(losses, reduction);
    const back = excluded && maskBy(n, (i, j) => excluded[j * n + i]);
    const other = oneWay(rows.positive, rows.query, back);
    return reduce(tf.mul(tf.add(losses, other), 0.5) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

function lossWithNegatives(
  { query, positive }: Record<"query" | "positive", tf.Tensor2D>,
  given: tf.Tensor,
  { temperature, similarity }: { temperature: number; similarity: Similarity },
): tf.Tensor1D {
  const [n, dim] = query.shape;
  if (!(given instanceof tf.Tensor)) {
    throw new TypeError(`infoNCE: negatives must be a tensor, got ${describe(given)}`);
  }
  const isOwn = given.rank === 3;
  const m = given.shape[isOwn ? 1 : 0]!;
  const expected = isOwn ? [n, m, dim] : [m, dim];
  if (!m || String(given.shape) !== String(expected)) {
    throw new Error(
      `infoNCE: negatives must be [m >= 1, ${dim}] or [${n}, m >= 1, ${dim}], got [${given.shape}]`,
    );
  }
  const negatives = toFloat("infoNCE: negatives", given);
  const rows = tf.split(query, n) as tf.Tensor2D[];
  const byRow = (candidates: tf.Tensor2D[]) =>
    tf.concat(rows.map((row, i) => compare(row, candidates[i], { caller: "infoNCE", similarity })));
  const toPositive = byRow(tf.split(positive, n) as tf.Tensor2D[]);
  const toNegatives = isOwn
    ? byRow(tf.split(negatives, n).map((x) => tf.reshape(x, [m, dim]) as tf.Tensor2D))
    : compare(query, negatives as tf.Tensor2D, { caller: "infoNCE", similarity });
  return logOnePlusSumExp(tf.div(tf.sub(toNegatives, toPositive), temperature)) as tf.Tensor1D;
}
