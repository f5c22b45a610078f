import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkSameShape, checkScalar } from "./checks.js";
import { type Reduced, type Reduction, reduce } from "./reduction.js";
import { cosineSimilarity, type Similarity } from "./similarity.js";

export interface ClipLossOptions<R extends Reduction = Reduction> {
  /** Default {@link cosineSimilarity}. */
  similarity?: Similarity;
  /** Over the pairs. Default `"mean"`. */
  reduction?: R;
}

/**
 * CLIP's loss (Radford et al. 2021, figure 3): half the cross entropy of images over texts plus half that of texts
 * over images, with logits `exp(logitScale) s_ij`.
 *
 * @param images `[n, dim]`, n >= 2. @param texts `[n, dim]`; row i belongs to image i.
 * @param logitScale logarithm of the inverse temperature, one value, which may be trained; CLIP starts at log(1/0.07).
 * @returns `[n]`, or its reduction.
 * @throws on a batch of one, on shapes that do not agree and on a logitScale of several values.
 */
export function clipLoss<R extends Reduction = "mean">(
  images: tf.Tensor2D,
  texts: tf.Tensor2D,
  logitScale: tf.Tensor | number,
  { similarity = cosineSimilarity, reduction = "mean" as R }: ClipLossOptions<R> = {},
): Reduced<R> {
  const n = images.shape[0];
  checkSameShape("clipLoss", { images, texts });
  checkBatch("clipLoss", n);
  checkScalar("clipLoss", "logitScale", logitScale);
  return tf.tidy(() => {
    const logits = tf.mul(similarity(images, texts), tf.exp(logitScale));
    const own = tf.sum(tf.mul(logits, tf.eye(n)), 1);
    const both = tf.add(tf.logSumExp(logits, 1), tf.logSumExp(logits, 0));
    return reduce(tf.sub(tf.mul(both, 0.5), own) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

/**
 * SigLIP's loss (Zhai et al. 2023, algorithm 1): every image-text pair is a yes-or-no question,
 * `-log sigmoid(z_ij l_ij)` with `l = exp(logitScale) s + logitBias` and `z` 1 for pairs that belong together, else -1;
 * summed over texts.
 *
 * @param images `[n, dim]`, n >= 2. @param texts `[n, dim]`; row i belongs to image i.
 * @param logitScale one value, which may be trained; SigLIP starts at log(10).
 * @param logitBias one value, which may be trained; SigLIP starts at -10, for most pairs do not belong together.
 * @returns `[n]`, or its reduction.
 * @throws on a batch of one, on shapes that do not agree and on a scale or bias of several values.
 */
export function sigLipLoss<R extends Reduction = "mean">(
  images: tf.Tensor2D,
  texts: tf.Tensor2D,
  logitScale: tf.Tensor | number,
  logitBias: tf.Tensor | number,
  { similarity = cosineSimilarity, reduction = "mean" as R }: ClipLossOptions<R> = {},
): Reduced<R> {
  const n = images.shape[0];
  checkSameShape("sigLipLoss", { images, texts });
  checkBatch("sigLipLoss", n);
  checkScalar("sigLipLoss", "logitScale", logitScale);
  checkScalar("sigLipLoss", "logitBias", logitBias);
  return tf.tidy(() => {
    const logits = tf.add(tf.mul(similarity(images, texts), tf.exp(logitScale)), logitBias);
    const sign = tf.sub(tf.mul(tf.eye(n), 2), 1);
    return reduce(tf.sum(tf.softplus(tf.neg(tf.mul(sign, logits))), 1) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}
