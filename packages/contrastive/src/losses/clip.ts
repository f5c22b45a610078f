import * as tf from "@tensorflow/tfjs-core";
import { checkBlockSize, inBlocks } from "../blocks/in-blocks.js";
import { checkBatch, checkSameShape, checkScalar } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import type { Similarity } from "../distances/distance.js";
import { rowComparison } from "../distances/row-comparison.js";
import { clampAbove } from "../math/clamp-above.js";
import { logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { saturate } from "../math/saturate.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkOptions } from "../shared/check-options.js";
import type { Trainable } from "../shared/trainable.js";
import { differencesToOthers } from "./score-differences.js";

/** The greatest logit scale: CLIP clips its logarithm at log(100) (Radford et al. 2021, section 2.5). */
export const maxLogitScale = 100;

export interface ClipLossOptions<R extends Reduction = Reduction> {
  /** Default {@link cosineSimilarity}. */
  similarity?: Similarity;
  /**
   * Rows at once, at least 1: memory is then `O(blockSize n)` in place of `O(n^2)`, with the same values and gradients, at the price of
   * more time. Default: all rows.
   */
  blockSize?: number;
  /** Over the pairs. Default `"mean"`. */
  reduction?: R;
}

/** The names of {@link ClipLossOptions}, for `checkOptions`. */
export const clipLossOptionNames = { similarity: "function", blockSize: true, reduction: true } as const;

/**
 * CLIP's loss (Radford et al. 2021, figure 3; open_clip's `ClipLoss`): half the cross entropy of images over texts plus half that of
 * texts over images, with logits `logitScale s_ij`.
 *
 * @param images `[n, dim]`, n >= 2. @param texts `[n, dim]`; row i belongs to image i.
 * @param logitScale the factor of the similarities itself, as in open_clip, not its logarithm, which models store: pass
 *   `tf.exp(model.logit_scale)`. One value in (0, 100]; a tensor, which may be trained, is clipped at 100 as CLIP does; its
 *   gradient beyond 100 is 0 only where it leads further up. CLIP starts at 1 / 0.07 = 14.29.
 * @returns `[n]`, or its reduction; the caller disposes it
 * @throws on a batch of one, on shapes that do not agree, on a logitScale of several values or out of range and on unknown options
 */
export function clipLoss<R extends Reduction = "mean">(
  images: tf.Tensor,
  texts: tf.Tensor,
  logitScale: Trainable | number,
  options: ClipLossOptions<R> = {},
): Reduced<R> {
  const {
    similarity = cosineSimilarity,
    blockSize,
    reduction = "mean" as R,
  } = checkOptions<ClipLossOptions<R>>("clipLoss", options, clipLossOptionNames);
  const givenScale = checkScalar("clipLoss: logitScale", logitScale, { above: 0, max: maxLogitScale });
  checkBlockSize("clipLoss", blockSize);
  return tf.tidy(() => {
    const rows = checkSameShape("clipLoss", { images, texts });
    checkBatch("clipLoss", rows.images.shape[0]);
    const { prepare, compareRows } = rowComparison("clipLoss", similarity);
    const [x, y, scale] = [prepare(rows.images), prepare(rows.texts), clipScale(givenScale)];
    const logitsOf = (a: tf.Tensor2D, b: tf.Tensor2D, factor: tf.Tensor) =>
      saturate(tf.mul(compareRows(a, b), factor) as tf.Tensor2D);
    const lossOf = (logits: tf.Tensor2D, first: number) =>
      logOnePlusSumExp(differencesToOthers(logits, first));
    if (blockSize === undefined) {
      const logits = logitsOf(x, y, scale);
      return halved(lossOf(logits, 0), lossOf(tf.transpose(logits) as tf.Tensor2D, 0));
    }
    const toTexts = inBlocks({ rows: [x], whole: [y, scale], blockSize }, ([a], [b, factor], first) =>
      lossOf(logitsOf(a, b, factor), first),
    );
    const toImages = inBlocks({ rows: [y], whole: [x, scale], blockSize }, ([b], [a, factor], first) =>
      lossOf(tf.transpose(logitsOf(a, b, factor)) as tf.Tensor2D, first),
    );
    return halved(toTexts, toImages);
  }) as Reduced<R>;

  function halved(toTexts: tf.Tensor, toImages: tf.Tensor): Reduced<R> {
    return reduce(tf.mul(tf.add(toTexts, toImages), 0.5) as tf.Tensor1D, reduction);
  }
}

/** A logit scale as a scalar, clipped at {@link maxLogitScale}. */
export function clipScale(logitScale: tf.Tensor | number): tf.Scalar {
  const scale = typeof logitScale === "number" ? tf.scalar(logitScale) : tf.reshape(logitScale, []);
  return clampAbove(scale as tf.Scalar, maxLogitScale);
}
