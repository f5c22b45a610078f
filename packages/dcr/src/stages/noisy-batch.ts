import { type LatentDistribution, sampleLatents } from "@dcr-js/diffusion";
import type { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";
import type { StageSettings } from "./stage-options.js";

/** Noisy latents of a batch and what the denoiser should predict for them. */
export interface NoisyBatch {
  /** `x_t`, `[n, h, w, channels]`. */
  noisy: tf.Tensor4D;
  timesteps: Int32Array;
  /** `G`, `[n, h, w, channels]`. */
  target: tf.Tensor4D;
}

/**
 * Draws latents, noise and timesteps of this process's images. Draws those of all processes' images and takes its own, so that
 * an image's noise does not depend on how many processes share the batch.
 */
export function noisyBatch(
  { scheduler, latents, target, timestepRange, communicator }: StageSettings,
  posterior: LatentDistribution,
  random: Random,
): NoisyBatch {
  const [n, ...item] = posterior.mean.shape;
  const { rank, size: processes } = communicator;
  const [first, end] = timestepRange;
  const timesteps = random.integerArray(n * processes, first, end).slice(rank * n, (rank + 1) * n);
  const values = tf.util.sizeFromShape(item);
  const draw = () => {
    const all = random.normalArray(processes * n * values);
    return tf.tensor4d(all.subarray(rank * n * values, (rank + 1) * n * values), [n, ...item] as never);
  };
  const tensors = tf.tidy(() => {
    const x0 = tf.mul(sampleLatents(posterior, draw()), latents.scalingFactor) as tf.Tensor4D;
    const noise = draw();
    return {
      noisy: scheduler.addNoise(x0, noise, timesteps),
      target:
        target === "velocity"
          ? scheduler.velocity(x0, noise, timesteps)
          : scheduler.target(x0, noise, timesteps),
    };
  });
  return { ...tensors, timesteps };
}

/** Refuses latents of another shape than the denoiser takes; a latent encoder may be anybody's code. */
export function checkPosterior(posterior: LatentDistribution, n: number, channels: number): void {
  for (const key of ["mean", "logvar"] as const) {
    const x: unknown = posterior?.[key];
    const valid = x instanceof tf.Tensor && x.rank === 4 && x.shape[0] === n && x.shape[3] === channels;
    if (valid) continue;
    const got = x instanceof tf.Tensor ? `[${x.shape}]` : describe(x);
    throw new Error(`latents: ${key} must be [${n}, h, w, ${channels}], got ${got}`);
  }
}

/** Refuses predictions of another shape than the latents'; a denoiser may be anybody's code. */
export function checkPrediction(predicted: unknown, shape: number[]): asserts predicted is tf.Tensor4D {
  const valid = predicted instanceof tf.Tensor && String(predicted.shape) === String(shape);
  if (valid) return;
  const got = predicted instanceof tf.Tensor ? `[${predicted.shape}]` : describe(predicted);
  throw new Error(`denoiser: predictions must be [${shape}], got ${got}`);
}
