import type { EvaluationInput } from "@dcr-js/cli";
import * as tf from "@tensorflow/tfjs-core";
import { imageTensor } from "../data/images.js";

/** Features `[n, d]` of images, a few at a time; the caller disposes it. */
export function encodeImages(
  { encoder, processor }: Pick<EvaluationInput, "encoder" | "processor">,
  images: Uint8Array,
  rows: ArrayLike<number>,
): tf.Tensor2D {
  return tf.tidy(() => {
    const parts: tf.Tensor2D[] = [];
    for (let i = 0; i < rows.length; i += 64) {
      const part = Array.from(rows).slice(i, i + 64);
      parts.push(tf.tidy(() => encoder.encodeImage(processor.normalize(imageTensor(images, part)))));
    }
    return tf.concat(parts) as tf.Tensor2D;
  });
}
