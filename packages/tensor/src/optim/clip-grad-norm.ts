import * as tf from "@tensorflow/tfjs-core";

/** The Euclidean norm of all tensors taken as one vector, without a readback. */
export function globalNorm(tensors: readonly tf.Tensor[]): tf.Scalar {
  return tf.tidy(() => tf.sqrt(tf.addN(tensors.map((tensor) => tf.sum(tf.square(tensor))))) as tf.Scalar);
}

/**
 * Scales gradients so that their global norm is at most `maxNorm`; exactly `torch.nn.utils.clip_grad_norm_`,
 * whose factor is `min(1, maxNorm / (norm + 1e-6))`.
 *
 * @returns fresh gradients and the norm before clipping; the caller disposes both, and keeps the input.
 */
export function clipGradNorm(
  gradients: readonly tf.Tensor[],
  maxNorm: number,
): { gradients: tf.Tensor[]; norm: tf.Scalar } {
  if (!(maxNorm > 0)) throw new Error(`clipGradNorm: maxNorm must be positive, got ${maxNorm}`);
  return tf.tidy(() => {
    const norm = globalNorm(gradients);
    const factor = tf.minimum(1, tf.div(maxNorm, tf.add(norm, 1e-6)));
    return { gradients: gradients.map((gradient) => tf.mul(gradient, factor)), norm };
  });
}
