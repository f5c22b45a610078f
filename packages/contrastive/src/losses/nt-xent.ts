import * as tf from "@tensorflow/tfjs-core";
import { contrastInBlocks } from "../blocks/contrast-in-blocks.js";
import { checkBatch, checkSameShape } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type ContrastiveOptions, contrast, contrastiveOptionNames } from "./multi-positive.js";
import { besideSelf } from "./sup-con.js";

export interface NTXentOptions<R extends Reduction = Reduction> extends ContrastiveOptions<R> {
  /**
   * Rows of the similarity matrix at once, at least 1: memory is then `O(blockSize n)` in place of `O(n^2)`, with the same gradients.
   * For cosine similarity. Default: all rows.
   */
  blockSize?: number;
  /**
   * Whether view j takes no part for view i, such as a false negative, row by row, `2n * 2n`, view A's first. Not with `blockSize`.
   * Default: the view itself alone.
   */
  excluded?: ArrayLike<boolean | number>;
}

/**
 * NT-Xent (SimCLR; Chen et al. 2020, eq. 1): each of the 2n views has the same image's other view as positive, and all
 * other 2n - 2 views as negatives. For rows with labels see {@link ntXentFromLabels}.
 *
 * @param viewA `[n, dim]`, n >= 2. @param viewB `[n, dim]`; row i is of the same image.
 * @returns `[2n]`, view A's first, or its reduction; the caller disposes it
 * @throws on a batch of one, on shapes that do not agree, on a temperature that is not positive and on unknown options
 */
export function ntXent<R extends Reduction = "mean">(
  viewA: tf.Tensor,
  viewB: tf.Tensor,
  options: NTXentOptions<R> = {},
): Reduced<R> {
  const caller = "ntXent";
  const { blockSize, excluded, ...rest } = checkOptions<NTXentOptions<R>>(caller, options, {
    ...contrastiveOptionNames,
    blockSize: true,
    excluded: true,
  });
  const { temperature = 0.1, similarity = cosineSimilarity, reduction = "mean" as R } = rest;
  checkFloat(`${caller}: temperature`, temperature, { above: 0 });
  if (excluded !== undefined && blockSize !== undefined)
    throw new Error(`${caller}: excluded cannot be used with blockSize`);
  return tf.tidy(() => {
    const rows = checkSameShape(caller, { viewA, viewB });
    const n = rows.viewA.shape[0];
    checkBatch(caller, n);
    const views = tf.concat([rows.viewA, rows.viewB]) as tf.Tensor2D;
    const count = 2 * n;
    if (blockSize !== undefined) {
      const labels = Int32Array.from({ length: count }, (_, i) => i % n);
      const inputs = { anchors: views, candidates: views, labels, temperature, similarity, blockSize };
      return reduce(contrastInBlocks(caller, { ...inputs, withoutSelf: true }), reduction);
    }
    const positive = Uint8Array.from({ length: count * count }, (_, at) =>
      Number(at % count === (Math.floor(at / count) + n) % count),
    );
    const options = { ...rest, excluded: besideSelf(caller, excluded, count) };
    return contrast(caller, { anchors: views, candidates: views, positive, options });
  }) as Reduced<R>;
}
