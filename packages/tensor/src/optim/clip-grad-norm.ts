import * as tf from "@tensorflow/tfjs-core";

/** Elements of small tensors that are laid side by side at a time: 4 MiB. */
const elementsAtOnce = 2 ** 20;

/** The Euclidean norm of all tensors taken as one vector, without a readback. */
export function globalNorm(tensors: readonly tf.Tensor[]): tf.Scalar {
  return tf.tidy(() => {
    const packs: tf.Tensor1D[][] = [];
    let room = 0;
    for (const tensor of tensors) {
      const flat = tf.reshape(tensor, [-1]) as tf.Tensor1D;
      if (flat.size <= room) {
        packs[packs.length - 1].push(flat);
      } else {
        packs.push([flat]);
        room = elementsAtOnce;
      }
      room -= flat.size;
    }
    const squares = packs.map((pack) =>
      tf.tidy(() => tf.sum(tf.square(pack.length === 1 ? pack[0] : tf.concat1d(pack)))),
    );
    return tf.sqrt(squares.length === 1 ? squares[0] : tf.sum(tf.stack(squares))) as tf.Scalar;
  });
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
