import * as tf from "@tensorflow/tfjs-core";
import { checkBlockSize, inBlocks } from "../blocks/in-blocks.js";
import { checkBatch, checkEmbeddings } from "../check-embeddings.js";
import { keepWhere } from "../math/masked-log-sum-exp.js";
import { stopGradient } from "../math/stop-gradient.js";
import { unitRows } from "../math/unit-rows.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { ownColumns } from "./score-differences.js";

export interface KoLeoOptions<R extends Reduction = Reduction> {
  /** Added to differences and to distances, greater than 0. Default 1e-8. */
  epsilon?: number;
  /**
   * Rows at once, at least 1: memory is then `O(blockSize n)` in place of `O(n^2)`, with the same values and gradients, at the price of one
   * more forward pass. Default: all rows.
   */
  blockSize?: number;
  /** Over the rows. Default `"mean"`. */
  reduction?: R;
}

/**
 * KoLeo regulariser (Sablayrolles et al. 2019, eq. 5; used by DINOv2): minus the logarithm of each normalised row's distance to its
 * nearest neighbour, which spreads rows evenly.
 *
 * @param embeddings `[n, dim]`, n >= 2
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function koLeo<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  options: KoLeoOptions<R> = {},
): Reduced<R> {
  const {
    epsilon = 1e-8,
    blockSize,
    reduction = "mean" as R,
  } = checkOptions<KoLeoOptions<R>>("koLeo", options, { epsilon: true, blockSize: true, reduction: true });
  checkFloat("koLeo: epsilon", epsilon, { above: 0 });
  checkBlockSize("koLeo", blockSize);
  return tf.tidy(() => {
    const x = checkEmbeddings("koLeo: embeddings", embeddings);
    const n = x.shape[0];
    checkBatch("koLeo", n);
    const rows = unitRows(x);
    const losses = inBlocks({ rows: [rows], whole: [rows], blockSize }, ([part], [all], first) => {
      // A product with a one-hot matrix takes each row's nearest other row, differentiably on every backend.
      const isNearest = stopGradient<tf.Tensor2D>(part, (y) => {
        const cosines = tf.matMul(y as tf.Tensor2D, all, false, true);
        const others = keepWhere(tf.logicalNot(ownColumns(first, part.shape[0], n)), cosines);
        return tf.cast(tf.oneHot(tf.argMax(others, 1) as tf.Tensor1D, n), "float32");
      });
      const nearest = tf.matMul(isNearest, all);
      const distances = tf.sqrt(tf.sum(tf.square(tf.add(tf.sub(part, nearest), epsilon)), 1));
      return tf.neg(tf.log(tf.add(distances, epsilon)));
    });
    return reduce(losses as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}
