import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkSameShape } from "../check-embeddings.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkOptions } from "../shared/check-options.js";
import { besideSelf, type Flags, maskBy } from "./masks.js";
import { type ContrastiveOptions, contrast, contrastiveOptionNames } from "./multi-positive.js";

export interface NTXentOptions<R extends Reduction = Reduction> extends ContrastiveOptions<R> {
  /**
   * Views at once, at least 1: memory is then `O(blockSize n)` in place of `O(n^2)`, with the same values and gradients, at the price of one
   * more forward pass. Default: all views.
   */
  blockSize?: number;
  /**
   * Whether view j takes no part for view i, such as a false negative, row by row, `2n * 2n`, view A's first.
   * Default: the view itself only.
   */
  excluded?: Flags;
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
  const { excluded, ...rest } = checkOptions<NTXentOptions<R>>(caller, options, {
    ...contrastiveOptionNames,
    blockSize: true,
    excluded: true,
  });
  return tf.tidy(() => {
    const rows = checkSameShape(caller, { viewA, viewB });
    const n = rows.viewA.shape[0];
    checkBatch(caller, n);
    const views = tf.concat([rows.viewA, rows.viewB]) as tf.Tensor2D;
    const count = 2 * n;
    return contrast(caller, {
      anchors: views,
      candidates: views,
      positive: maskBy(count, (i, j) => j === (i + n) % count),
      excluded: besideSelf(`${caller}: excluded`, excluded, count),
      options: rest,
    });
  }) as Reduced<R>;
}
