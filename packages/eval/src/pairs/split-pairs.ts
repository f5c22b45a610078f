import * as tf from "@tensorflow/tfjs-core";
import { type Features, toTensor } from "../features/open-features.js";
import type { SafetensorsFile } from "../features/read-features.js";

/**
 * Parts rows that stand in pairs, as `mmvpVLM` and `winoground` give their images and texts: the first row of each pair, and the second.
 *
 * @param features `[2 pairs, dim]`, in any form but a file's
 * @returns two tensors `[pairs, dim]`; the caller disposes them
 *
 * @example
 * const [imagesA, imagesB] = splitPairs(features);
 */
export function splitPairs(
  features: Exclude<Features, SafetensorsFile>,
): [first: tf.Tensor2D, second: tf.Tensor2D] {
  return tf.tidy(() => {
    const rows = toTensor("splitPairs: features", features);
    const [n, dim] = rows.shape;
    if (n % 2 !== 0) throw new Error(`splitPairs: features must be [2 pairs, dim], got [${rows.shape}]`);
    return tf.unstack(tf.reshape(rows, [n / 2, 2, dim]), 1);
  }) as [tf.Tensor2D, tf.Tensor2D];
}
