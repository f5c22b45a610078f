import * as tf from "@tensorflow/tfjs-core";
import { checkBlockSize, inBlocks } from "../blocks/in-blocks.js";
import { checkBatch, checkEmbeddings } from "../check-embeddings.js";
import { lpDistance } from "../distances/lp-distance.js";
import { keepWhere } from "../math/masked-log-sum-exp.js";
import { unitRows } from "../math/unit-rows.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { ownColumns } from "./score-differences.js";

const squared = lpDistance({ power: 2, normalize: false });

export interface UniformityOptions {
  /** Sharpness of the Gaussian kernel, greater than 0. Default 2. */
  t?: number;
  /**
   * Rows at once, at least 1: memory is then `O(blockSize n)` in place of `O(n^2)`, with the same values and gradients, at the price of one
   * more forward pass. Default: all rows.
   */
  blockSize?: number;
}

/**
 * Uniformity (Wang and Isola 2020, eq. 3): the logarithm of the mean of `exp(-t ||x_i - x_j||^2)` over all pairs of different normalised
 * rows.
 *
 * @param embeddings `[n, dim]`, n >= 2
 * @returns a scalar; the caller disposes it
 */
export function uniformity(embeddings: tf.Tensor, options: UniformityOptions = {}): tf.Scalar {
  const { t = 2, blockSize } = checkOptions<UniformityOptions>("uniformity", options, {
    t: true,
    blockSize: true,
  });
  checkFloat("uniformity: t", t, { above: 0 });
  checkBlockSize("uniformity", blockSize);
  return tf.tidy(() => {
    const x = checkEmbeddings("uniformity: embeddings", embeddings);
    const n = x.shape[0];
    checkBatch("uniformity", n);
    const rows = unitRows(x);
    const ofRows = inBlocks({ rows: [rows], whole: [rows], blockSize }, ([part], [all], first) => {
      const scores = tf.mul(squared(part, all), -t);
      return tf.logSumExp(keepWhere(tf.logicalNot(ownColumns(first, part.shape[0], n)), scores), 1);
    });
    return tf.sub(tf.logSumExp(ofRows), Math.log(n * (n - 1))) as tf.Scalar;
  });
}
