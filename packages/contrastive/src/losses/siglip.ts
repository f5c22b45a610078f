import * as tf from "@tensorflow/tfjs-core";
import { checkBlockSize, inBlocks } from "../blocks/in-blocks.js";
import { checkBatch, checkSameShape, checkScalar } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { rowComparison } from "../distances/row-comparison.js";
import { saturate } from "../math/saturate.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkOptions } from "../shared/check-options.js";
import type { Trainable } from "../shared/trainable.js";
import { type ClipLossOptions, clipLossOptionNames, clipScale, maxLogitScale } from "./clip.js";
import { ownColumns } from "./score-differences.js";

/**
 * SigLIP's loss (Zhai et al. 2023, algorithm 1; open_clip's `SigLipLoss`): every image-text pair is a yes-or-no question,
 * `-log sigmoid(z_ij l_ij)` with `l = logitScale s + logitBias` and `z` 1 for pairs that belong together, else -1;
 * summed over texts.
 *
 * @param images `[n, dim]`, n >= 2. @param texts `[n, dim]`; row i belongs to image i.
 * @param logitScale the factor of the similarities itself, not its logarithm, as for {@link clipLoss}; SigLIP starts at 10
 * @param logitBias one value, which may be trained; SigLIP starts at -10, for most pairs do not belong together
 * @returns `[n]`, or its reduction; the caller disposes it
 * @throws on a batch of one, on shapes that do not agree, on a scale or bias of several values and on unknown options
 */
export function sigLipLoss<R extends Reduction = "mean">(
  images: tf.Tensor,
  texts: tf.Tensor,
  logitScale: Trainable | number,
  logitBias: Trainable | number,
  options: ClipLossOptions<R> = {},
): Reduced<R> {
  const {
    similarity = cosineSimilarity,
    blockSize,
    reduction = "mean" as R,
  } = checkOptions<ClipLossOptions<R>>("sigLipLoss", options, clipLossOptionNames);
  const givenScale = checkScalar("sigLipLoss: logitScale", logitScale, { above: 0, max: maxLogitScale });
  const givenBias = checkScalar("sigLipLoss: logitBias", logitBias);
  checkBlockSize("sigLipLoss", blockSize);
  return tf.tidy(() => {
    const rows = checkSameShape("sigLipLoss", { images, texts });
    const n = rows.images.shape[0];
    checkBatch("sigLipLoss", n);
    const { prepare, compareRows } = rowComparison("sigLipLoss", similarity);
    const bias = typeof givenBias === "number" ? tf.scalar(givenBias) : tf.reshape(givenBias, []);
    const whole = [prepare(rows.texts), clipScale(givenScale), bias] as const;
    const losses = inBlocks(
      { rows: [prepare(rows.images)], whole, blockSize },
      ([x], [y, scale, shift], first) => {
        const logits = saturate(tf.add(tf.mul(compareRows(x, y), scale), shift));
        // The margin of each answer: the logit where image and text belong together, else its negative.
        const margins = tf.where(ownColumns(first, x.shape[0], n), logits, tf.neg(logits));
        return tf.sum(tf.softplus(tf.neg(margins)), 1);
      },
    );
    return reduce(losses as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}
