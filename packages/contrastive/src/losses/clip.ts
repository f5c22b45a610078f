import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkSameShape, checkScalar } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { compare, type Similarity } from "../distances/distance.js";
import { logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { saturate } from "../math/saturate.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkOptions } from "../shared/check-options.js";
import { differencesToOthers } from "./score-differences.js";

/** The greatest logit scale: CLIP clips its logarithm at log(100) (Radford et al. 2021, section 2.5). */
export const maxLogitScale = 100;

export interface ClipLossOptions<R extends Reduction = Reduction> {
  /** Default {@link cosineSimilarity}. */
  similarity?: Similarity;
  /** Over the pairs. Default `"mean"`. */
  reduction?: R;
}

/**
 * CLIP's loss (Radford et al. 2021, figure 3; open_clip's `ClipLoss`): half the cross entropy of images over texts plus half that of
 * texts over images, with logits `logitScale s_ij`.
 *
 * @param images `[n, dim]`, n >= 2. @param texts `[n, dim]`; row i belongs to image i.
 * @param logitScale the factor of the similarities itself, as in open_clip, not its logarithm, which models store: pass
 *   `tf.exp(model.logit_scale)`. One value in (0, 100]; a tensor, which may be trained, is clipped at 100 as CLIP does. CLIP starts
 *   at 1 / 0.07 = 14.29.
 * @returns `[n]`, or its reduction; the caller disposes it
 * @throws on a batch of one, on shapes that do not agree, on a logitScale of several values or out of range and on unknown options
 */
export function clipLoss<R extends Reduction = "mean">(
  images: tf.Tensor,
  texts: tf.Tensor,
  logitScale: tf.Tensor | number,
  options: ClipLossOptions<R> = {},
): Reduced<R> {
  const { similarity = cosineSimilarity, reduction = "mean" as R } = checkOptions<ClipLossOptions<R>>(
    "clipLoss",
    options,
    { similarity: "function", reduction: true },
  );
  checkScalar("clipLoss: logitScale", logitScale, { above: 0, max: maxLogitScale });
  return tf.tidy(() => {
    const rows = checkSameShape("clipLoss", { images, texts });
    checkBatch("clipLoss", rows.images.shape[0]);
    const cosines = compare("clipLoss: similarity", similarity, rows.images, rows.texts);
    const logits = saturate(tf.mul(cosines, clipScale(logitScale)) as tf.Tensor2D);
    const [toTexts, toImages] = [logits, tf.transpose(logits) as tf.Tensor2D].map((scores) =>
      logOnePlusSumExp(differencesToOthers(scores)),
    );
    return reduce(tf.mul(tf.add(toTexts, toImages), 0.5) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

/** A logit scale as a scalar, clipped at {@link maxLogitScale}. */
export function clipScale(logitScale: tf.Tensor | number): tf.Scalar {
  const scale = typeof logitScale === "number" ? tf.scalar(logitScale) : tf.reshape(logitScale, []);
  return tf.minimum(scale, maxLogitScale) as tf.Scalar;
}
