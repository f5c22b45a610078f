import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";

/**
 * Parts rows that stand in pairs, as `mmvpVLM` and `winoground` give their images and texts: the first row of each pair, and the second.
 *
 * @param features `[2 pairs, dim]`
 * @returns two tensors `[pairs, dim]`; the caller disposes them
 *
 * @example
 * const [imagesA, imagesB] = splitPairs(features);
 */
export function splitPairs(features: tf.Tensor): [first: tf.Tensor2D, second: tf.Tensor2D] {
  if (!(features instanceof tf.Tensor)) {
    throw new TypeError(`splitPairs: features must be a tensor [2 pairs, dim], got ${describe(features)}`);
  }
  const { shape } = features;
  if (shape.length !== 2 || shape[0] === 0 || shape[0] % 2 !== 0) {
    throw new Error(`splitPairs: features must be [2 pairs, dim], got [${shape}]`);
  }
  return tf.tidy(() => tf.unstack(tf.reshape(features, [shape[0] / 2, 2, shape[1]]), 1)) as [
    tf.Tensor2D,
    tf.Tensor2D,
  ];
}
