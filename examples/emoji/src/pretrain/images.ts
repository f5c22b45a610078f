import type { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { type EmojiData, itemIndices } from "../data/emoji.js";

/** Rows of every image that may be trained on. */
export function trainingIndices({ items }: EmojiData): number[] {
  return itemIndices(items, (item) => item.split === "train");
}

/** Rows of the held-out codes that a model's own figures are computed with, skin tones left out. */
export function validationIndices({ items }: EmojiData): number[] {
  return itemIndices(items, (item) => item.split === "validation" && item.code === item.baseCode);
}

/** From [0, 1], as images are held, to [-1, 1], as the auto-encoder takes them. */
export function toSigned(images: tf.Tensor4D): tf.Tensor4D {
  return tf.tidy(() => tf.sub(tf.mul(images, 2), 1));
}

/** `count` entries of `pool` for a step: epochs in random order, each a function of `random`'s key and its number. */
export function batchOf(pool: readonly number[], count: number, step: number, random: Random): number[] {
  const perEpoch = Math.floor(pool.length / count);
  const order = random.fork(`epoch/${Math.floor(step / perEpoch)}`).permutation(pool.length);
  const first = (step % perEpoch) * count;
  return Array.from(order.subarray(first, first + count), (i) => pool[i]);
}
