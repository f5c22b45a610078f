import * as tf from "@tensorflow/tfjs-core";
import { checkNumber } from "../shared/check-options.js";
import { checkTensors } from "./check-tensors.js";

/** Elements of small tensors that are laid side by side at a time: 4 MiB. */
const elementsAtOnce = 2 ** 20;

/** The smallest normal float32; what is smaller may be 0 on a GPU. */
const smallest = 2 ** -126;

/**
 * The Euclidean norm of all tensors taken as one vector, without a readback. It is right wherever it is a float32 itself: elements
 * are divided by the largest, since squares of 1e20 and 1e-23 are none. 0 for no tensors.
 *
 * @returns a scalar; the caller disposes it.
 */
export function globalNorm(tensors: readonly tf.Tensor[]): tf.Scalar {
  checkTensors("globalNorm: tensors", tensors);
  return tf.tidy(() => {
    const packs: tf.Tensor1D[][] = [];
    let room = 0;
    for (const tensor of tensors) {
      if (tensor.size === 0) continue;
      const flat = tf.reshape(tensor, [-1]) as tf.Tensor1D;
      if (flat.size <= room) {
        packs[packs.length - 1].push(flat);
      } else {
        packs.push([flat]);
        room = elementsAtOnce;
      }
      room -= flat.size;
    }
    if (packs.length === 0) return tf.scalar(0);
    const joined = (pack: tf.Tensor1D[]) => (pack.length === 1 ? pack[0] : tf.concat1d(pack));
    const perPack = (f: (x: tf.Tensor1D) => tf.Tensor) => {
      const values = packs.map((pack) => tf.tidy(() => f(joined(pack)) as tf.Scalar));
      return values.length === 1 ? tf.reshape(values[0], [1]) : tf.stack(values);
    };
    const largest = tf.max(perPack((x) => tf.max(tf.abs(x))));
    // An infinity stays one, and NaN stays NaN.
    const scale = tf.where(tf.isFinite(largest), tf.maximum(largest, smallest), tf.scalar(1));
    const squares = tf.sum(perPack((x) => tf.sum(tf.square(tf.div(x, scale)))));
    return tf.mul(tf.sqrt(squares), scale) as tf.Scalar;
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
  checkNumber("clipGradNorm: maxNorm", maxNorm, { above: 0 });
  checkTensors("clipGradNorm: gradients", gradients);
  return tf.tidy(() => {
    const norm = globalNorm(gradients);
    const factor = tf.minimum(1, tf.div(maxNorm, tf.add(norm, 1e-6)));
    return { gradients: gradients.map((gradient) => tf.mul(gradient, factor)), norm };
  });
}
