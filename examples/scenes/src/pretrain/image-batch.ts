import type { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { SceneSet } from "../scenes/splits.js";

/** These rows of a set: `[rows, size, size, 3]` in [0, 1]. The caller disposes it. */
export function imageBatch(
  { images, size }: Pick<SceneSet, "images" | "size">,
  rows: ArrayLike<number>,
): tf.Tensor4D {
  const bytes = size * size * 3;
  const values = new Float32Array(rows.length * bytes);
  for (let i = 0; i < rows.length; i++) {
    const from = rows[i] * bytes;
    for (let j = 0; j < bytes; j++) values[i * bytes + j] = images[from + j] / 255;
  }
  return tf.tensor4d(values, [rows.length, size, size, 3]);
}

/** From [0, 1], as images are held, to [-1, 1], as the auto-encoder takes them. */
export function toSigned(images: tf.Tensor4D): tf.Tensor4D {
  return tf.tidy(() => tf.sub(tf.mul(images, 2), 1));
}

/** `count` of `total` rows for a step: epochs in random order, each a function of `random`'s key and its number. */
export function rowsOf(total: number, count: number, step: number, random: Random): Int32Array {
  const perEpoch = Math.floor(total / count);
  const order = random.fork(`epoch/${Math.floor(step / perEpoch)}`).permutation(total);
  const first = (step % perEpoch) * count;
  return order.slice(first, first + count);
}
