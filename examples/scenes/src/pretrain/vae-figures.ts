import type { AutoencoderKL } from "@dcr-js/diffusion";
import * as tf from "@tensorflow/tfjs-core";
import type { SceneSet } from "../scenes/splits.js";
import { imageBatch, toSigned } from "./image-batch.js";

export interface VaeFigures {
  /** Peak signal-to-noise ratio of scenes restored from the posterior's mean, in dB, mean over scenes. */
  psnr: number;
  scenes: number;
}

export function vaeFigures(model: AutoencoderKL, set: SceneSet): VaeFigures {
  const psnr = tf.tidy(() => {
    const images = imageBatch(set, Array.from(set.scenes.keys()));
    const decoded = model.decode(model.encode(toSigned(images)).mean);
    const restored = tf.clipByValue(tf.div(tf.add(decoded, 1), 2), 0, 1);
    const errors = tf.mean(tf.square(tf.sub(restored, images)), [1, 2, 3]).dataSync() as Float32Array;
    return errors.reduce((sum, error) => sum - 10 * Math.log10(error), 0) / errors.length;
  });
  return { psnr, scenes: set.scenes.length };
}
