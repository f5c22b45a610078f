import * as tf from "@tensorflow/tfjs-core";
import { checkPair, reduce, type Reduced, type Reduction } from "./reduction.js";
import { cosineSimilarity } from "./similarity.js";

export interface ClipLossOptions<R extends Reduction = "mean"> {
  /** Default `"mean"`. */
  reduction?: R;
}

/**
 * CLIP's loss (Radford et al. 2021, figure 3): half the cross entropy of images over texts plus half that of texts
 * over images, logits being `exp(logitScale)` times cosine similarities.
 *
 * @param images `[n, dim]`, n >= 2. @param texts `[n, dim]`; row i belongs to image i.
 * @param logitScale log of the inverse temperature, a scalar tensor, which may be trained.
 */
export function clipLoss<R extends Reduction = "mean">(
  images: tf.Tensor2D,
  texts: tf.Tensor2D,
  logitScale: tf.Tensor,
  { reduction = "mean" as R }: ClipLossOptions<R> = {},
): Reduced<R> {
  checkPair("clipLoss", images, texts);
  return tf.tidy(() => {
    const logits = tf.mul(cosineSimilarity(images, texts), tf.exp(logitScale));
    const own = tf.sum(tf.mul(logits, tf.eye(images.shape[0])), 1);
    const both = tf.add(tf.logSumExp(logits, 1), tf.logSumExp(logits, 0));
    return reduce(tf.sub(tf.mul(both, 0.5), own) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

/**
 * SigLIP's loss (Zhai et al. 2023, algorithm 1): every image-text pair is a yes-or-no question, `-log sigmoid(z l)`
 * with `l = exp(logitScale) s + logitBias` and `z` 1 for pairs that belong together, else -1; summed over texts.
 *
 * @param images `[n, dim]`, n >= 2. @param texts `[n, dim]`.
 */
export function sigLipLoss<R extends Reduction = "mean">(
  images: tf.Tensor2D,
  texts: tf.Tensor2D,
  logitScale: tf.Tensor,
  logitBias: tf.Tensor,
  { reduction = "mean" as R }: ClipLossOptions<R> = {},
): Reduced<R> {
  checkPair("sigLipLoss", images, texts);
  return tf.tidy(() => {
    const logits = tf.add(tf.mul(cosineSimilarity(images, texts), tf.exp(logitScale)), logitBias);
    const sign = tf.sub(tf.mul(tf.eye(images.shape[0]), 2), 1);
    return reduce(tf.sum(tf.softplus(tf.neg(tf.mul(sign, logits))), 1) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}
