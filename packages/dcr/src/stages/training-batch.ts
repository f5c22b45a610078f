import type { NoisyBatch } from "@dcr-js/diffusion";
import { sampleLatents } from "@dcr-js/diffusion";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { type AugmentOptions, augmentView, type HostImage } from "../augment.js";
import type { StageOptions } from "./stage.js";

/** The images that an encoder is trained on. */
export interface ImageSource {
  length: number;
  /** Width and height. */
  size: number;
  /** RGB of image `index` in [0, 1], `[size, size, 3]`. */
  image(index: number): HostImage;
}

/**
 * The rows of step `step`: epochs in random order, each a function of the seed and its number. The same for every
 * method, so that methods see the same images, noise and timesteps.
 */
export function batchIndices(seed: number, length: number, batchSize: number, step: number): Int32Array {
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > length) {
    throw new Error(
      `batchIndices: batchSize must be an integer in 1..${length}, the number of images, got ${batchSize}`,
    );
  }
  const perEpoch = Math.floor(length / batchSize);
  const order = new Random(seed)
    .fork("order")
    .fork(Math.floor(step / perEpoch))
    .permutation(length);
  const first = (step % perEpoch) * batchSize;
  return order.slice(first, first + batchSize);
}

/** Images on the host as one tensor, `[n, size, size, 3]`; the caller disposes it. */
export function stackImages(images: HostImage[], size: number): tf.Tensor4D {
  const values = new Float32Array(images.length * size * size * 3);
  for (const [i, image] of images.entries()) values.set(image, i * image.length);
  return tf.tensor4d(values, [images.length, size, size, 3]);
}

/** Noisy latents of a batch, from a random source that the step alone determines. */
export function noisyBatch(options: StageOptions, indices: Int32Array, random: Random): NoisyBatch {
  const { scheduler, scalingFactor, latents } = options;
  const timesteps = random.integerArray(indices.length, 0, scheduler.config.num_train_timesteps);
  const tensors = tf.tidy(() => {
    const posterior = latents(indices);
    const shape = posterior.mean.shape;
    const x0 = tf.mul(
      sampleLatents(posterior, random.normal(shape) as tf.Tensor4D),
      scalingFactor,
    ) as tf.Tensor4D;
    const noise = random.normal(shape) as tf.Tensor4D;
    return {
      noisy: scheduler.addNoise(x0, noise, timesteps),
      target: scheduler.target(x0, noise, timesteps),
    };
  });
  return { ...tensors, timesteps };
}

/** The augmented view of each image of a batch. */
export function augmentedViews(
  source: ImageSource,
  indices: Int32Array,
  random: Random,
  options?: AugmentOptions,
): HostImage[] {
  const own = random.fork("augment");
  return Array.from(indices, (index) => augmentView(source.image(index), source.size, own, options));
}
