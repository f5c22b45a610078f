import type { AutoencoderKL } from "@dcr-js/diffusion";
import * as tf from "@tensorflow/tfjs-core";
import type { SceneSet } from "../scenes/splits.js";
import { imageBatch, toSigned } from "./image-batch.js";

const CHUNK = 250;

/** The posterior's means times the scaling factor: `[scenes, height, width, channels]`. The caller disposes it. */
export function latentsOf(vae: AutoencoderKL, set: SceneSet): tf.Tensor4D {
  const rows = Array.from(set.scenes.keys());
  const chunks: tf.Tensor4D[] = [];
  for (let i = 0; i < rows.length; i += CHUNK) {
    chunks.push(
      tf.tidy(() =>
        tf.mul(
          vae.encode(toSigned(imageBatch(set, rows.slice(i, i + CHUNK)))).mean,
          vae.config.scaling_factor,
        ),
      ),
    );
  }
  const latents = tf.concat(chunks);
  tf.dispose(chunks);
  return latents;
}
