import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkSameShape, checkScalar } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { compare } from "../distances/distance.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkOptions } from "../shared/check-options.js";
import { type ClipLossOptions, clipScale, maxLogitScale } from "./clip.js";

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
  logitScale: tf.Tensor | number,
  logitBias: tf.Tensor | number,
  options: ClipLossOptions<R> = {},
): Reduced<R> {
  const { similarity = cosineSimilarity, reduction = "mean" as R } = checkOptions<ClipLossOptions<R>>(
    "sigLipLoss",
    options,
    { similarity: "function", reduction: true },
  );
  checkScalar("sigLipLoss: logitScale", logitScale, { above: 0, max: maxLogitScale });
  checkScalar("sigLipLoss: logitBias", logitBias);
  return tf.tidy(() => {
    const rows = checkSameShape("sigLipLoss", { images, texts });
    const n = rows.images.shape[0];
    checkBatch("sigLipLoss", n);
    const cosines = compare("sigLipLoss: similarity", similarity, rows.images, rows.texts);
    const bias = typeof logitBias === "number" ? logitBias : tf.reshape(logitBias, []);
    const logits = tf.add(tf.mul(cosines, clipScale(logitScale)), bias);
    const sign = tf.sub(tf.mul(tf.eye(n), 2), 1);
    return reduce(tf.sum(tf.softplus(tf.neg(tf.mul(sign, logits))), 1) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}
