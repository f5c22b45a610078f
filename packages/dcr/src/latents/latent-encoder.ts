import type { AutoencoderKL, LatentDistribution } from "@dcr-js/diffusion";
import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkOptions } from "../shared/check-options.js";

/** Gives the latents that the diffusion model denoises. */
export interface LatentEncoder {
  /** Channels of the latents. */
  readonly latentChannels: number;
  /** What samples of the posterior are multiplied by before noise is added. */
  readonly scalingFactor: number;
  /**
   * The posterior of each image's latents: a function of the image alone.
   *
   * @param images `n * size * size * 3` values in [0, 1], row by row, channels last @param size width and height, in pixels
   * @returns mean and log-variance, `[n, h, w, latentChannels]`, before scaling; the caller disposes both
   */
  encode(images: Float32Array, size: number): Promise<LatentDistribution>;
  /** Frees what the encoder made for itself; the model stays its owner's. */
  dispose(): void;
}

export interface LatentEncoderOptions {
  /** Images that go through the VAE at once; bounds its memory. Default 1. */
  microBatch?: number;
}

/** A {@link LatentEncoder} of a Stable Diffusion model's VAE, which it freezes. Images are scaled from [0, 1] to [-1, 1]. */
export function createLatentEncoder(vae: AutoencoderKL, options?: LatentEncoderOptions): LatentEncoder {
  const { microBatch = 1 } = checkOptions("createLatentEncoder", options, { microBatch: true });
  checkNumber("createLatentEncoder: microBatch", microBatch, { integer: true, min: 1 });
  vae.requiresGrad(false);
  return {
    latentChannels: vae.config.latent_channels,
    scalingFactor: vae.config.scaling_factor,
    encode: async (images, size) => encodeInParts(vae, images, size, microBatch),
    dispose: () => {},
  };
}

function encodeInParts(
  vae: AutoencoderKL,
  images: Float32Array,
  size: number,
  microBatch: number,
): LatentDistribution {
  const values = size * size * 3;
  const count = images.length / values;
  return tf.tidy(() => {
    const parts: LatentDistribution[] = [];
    for (let start = 0; start < count; start += microBatch) {
      const part = images.subarray(start * values, (start + microBatch) * values);
      const shape: [number, number, number, number] = [part.length / values, size, size, 3];
      parts.push(
        tf.tidy(() => vae.encode(tf.sub(tf.mul(tf.tensor4d(part, shape), 2), 1)) as never) as LatentDistribution,
      );
    }
    return {
      mean: tf.concat(parts.map(({ mean }) => mean)),
      logvar: tf.concat(parts.map(({ logvar }) => logvar)),
    } as never;
  }) as unknown as LatentDistribution;
}
