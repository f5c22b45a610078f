import * as tf from "@tensorflow/tfjs-core";
import { checkBlockSize, inBlocks } from "../blocks/in-blocks.js";
import { checkBatch, checkSameShape } from "../check-embeddings.js";
import { keepWhere } from "../math/masked-log-sum-exp.js";
import { stopGradient } from "../math/stop-gradient.js";
import { unitRows } from "../math/unit-rows.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { ownColumns } from "./score-differences.js";

export interface DecoupledOptions<R extends Reduction = Reduction> {
  /** Greater than 0. Default 0.1. */
  temperature?: number;
  /**
   * Weights positives by `2 - n softmax(s_i / sigma)` over the batch, which makes hard positives count more (DCLW, eq. 7), with this
   * sigma, greater than 0. Default: no weights (DCL).
   */
  sigma?: number;
  /**
   * Rows at once, at least 1: memory is then `O(blockSize n)` in place of `O(n^2)`, with the same values and gradients, at the price of one
   * more forward pass. Default: all rows.
   */
  blockSize?: number;
  /** Over the pairs. Default `"mean"`. */
  reduction?: R;
}

/**
 * Decoupled contrastive loss (Yeh et al. 2022, eq. 6 and 7): NT-Xent without the positive in the denominator, for each pair the mean of
 * both views' `-w s_i / t + log sum_{negatives} exp(s / t)`.
 *
 * @param viewA `[n, dim]`, n >= 2. @param viewB `[n, dim]`; row i is of the same image.
 * @returns `[n]`, or its reduction; the caller disposes it
 */
export function decoupled<R extends Reduction = "mean">(
  viewA: tf.Tensor,
  viewB: tf.Tensor,
  options: DecoupledOptions<R> = {},
): Reduced<R> {
  const {
    temperature = 0.1,
    sigma,
    blockSize,
    reduction = "mean" as R,
  } = checkOptions<DecoupledOptions<R>>("decoupled", options, {
    temperature: true,
    sigma: true,
    blockSize: true,
    reduction: true,
  });
  checkFloat("decoupled: temperature", temperature, { above: 0 });
  if (sigma !== undefined) checkFloat("decoupled: sigma", sigma, { above: 0 });
  checkBlockSize("decoupled", blockSize);
  return tf.tidy(() => {
    const rows = checkSameShape("decoupled", { viewA, viewB });
    const n = rows.viewA.shape[0];
    checkBatch("decoupled", n);
    const [a, b] = [unitRows(rows.viewA), unitRows(rows.viewB)];
    const own = tf.sum(tf.mul(a, b), 1);
    const weights =
      sigma === undefined
        ? tf.onesLike(own)
        : stopGradient(tf.sub(2, tf.mul(tf.softmax(tf.div(own, sigma)), n)));
    const positives = tf.div(tf.mul(weights, own), temperature);
    const towards = (x: tf.Tensor2D, y: tf.Tensor2D) =>
      inBlocks(
        { rows: [x, positives], whole: [tf.concat([x, y]) as tf.Tensor2D], blockSize },
        ([part, own], [candidates], first) => {
          const all = tf.div(tf.matMul(part, candidates, false, true), temperature);
          const image = ownColumns(first, part.shape[0], n);
          const taken = tf.concat([image, image], 1);
          return tf.sub(tf.logSumExp(keepWhere(tf.logicalNot(taken), all), 1), own);
        },
      );
    return reduce(tf.mul(tf.add(towards(a, b), towards(b, a)), 0.5) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}
