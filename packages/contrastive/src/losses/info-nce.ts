import * as tf from "@tensorflow/tfjs-core";
import { contrastInBlocks } from "../blocks/contrast-in-blocks.js";
import { checkBatch, checkSameShape, toFloat } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { compare, type Similarity } from "../distances/distance.js";
import { logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions, describe } from "../shared/check-options.js";
import { type ContrastiveOptions, contrast, contrastiveOptionNames } from "./multi-positive.js";
import { diagonal } from "./sup-con.js";

export interface InfoNCEOptions<R extends Reduction = Reduction> extends ContrastiveOptions<R> {
  /**
   * Negatives in place of the other rows' positives: `[m, dim]` for all queries (MoCo's queue), or `[n, m, dim]`, each
   * query's own, m >= 1. A batch of one is allowed with them.
   */
  negatives?: tf.Tensor;
  /** Adds the loss of the positives as queries, and halves the sum. Not with `negatives`. Default false. */
  symmetric?: boolean;
  /**
   * Rows of the similarity matrix at once, at least 1: memory is then `O(blockSize n)` in place of `O(n^2)`, with the same gradients. For
   * cosine similarity and without `negatives`. Default: all rows.
   */
  blockSize?: number;
  /**
   * Whether positive j takes no part for query i, such as a false negative, row by row, `n * n`. Not with `negatives` or `blockSize`.
   * Default none is left out.
   */
  excluded?: ArrayLike<boolean | number>;
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
  if (negatives !== undefined && (symmetric || blockSize !== undefined)) {
    throw new Error(`${caller}: negatives cannot be used with ${symmetric ? "symmetric" : "blockSize"}`);
  }
  if (excluded !== undefined && (negatives !== undefined || blockSize !== undefined)) {
    throw new Error(
      `${caller}: excluded cannot be used with ${negatives !== undefined ? "negatives" : "blockSize"}`,
    );
  }
  return tf.tidy(() => {
    const rows = checkSameShape(caller, { query, positive });
    const n = rows.query.shape[0];
    if (negatives !== undefined) {
      return reduce(lossWithNegatives(rows, negatives, { temperature, similarity }), reduction);
    }
    checkBatch(caller, n);
    const oneWay = (
      anchors: tf.Tensor2D,
      candidates: tf.Tensor2D,
      left: ArrayLike<boolean | number> | undefined,
    ): tf.Tensor1D => {
      if (blockSize === undefined) {
        const none = { temperature, similarity, excluded: left, reduction: "none" } as const;
        return contrast(caller, { anchors, candidates, positive: diagonal(n), options: none });
      }
      const labels = Int32Array.from({ length: n }, (_, i) => i);
      return contrastInBlocks(caller, { anchors, candidates, labels, temperature, similarity, blockSize });
    };
    const losses = oneWay(rows.query, rows.positive, excluded);
    if (!symmetric) return reduce(losses, reduction);
    const back = oneWay(rows.positive, rows.query, excluded && transposed(excluded, n));
    return reduce(tf.mul(tf.add(losses, back), 0.5) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

/** A mask `n * n` with rows and columns exchanged. */
function transposed(mask: ArrayLike<boolean | number>, n: number): (boolean | number)[] {
  return Array.from({ length: n * n }, (_, at) => mask[(at % n) * n + Math.floor(at / n)]);
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
    tf.concat(rows.map((row, i) => compare("infoNCE: similarity", similarity, row, candidates[i])));
  const toPositive = byRow(tf.split(positive, n) as tf.Tensor2D[]);
  const toNegatives = isOwn
    ? byRow(tf.split(negatives, n).map((x) => tf.reshape(x, [m, dim]) as tf.Tensor2D))
    : compare("infoNCE: similarity", similarity, query, negatives as tf.Tensor2D);
  return logOnePlusSumExp(tf.div(tf.sub(toNegatives, toPositive), temperature)) as tf.Tensor1D;
}
