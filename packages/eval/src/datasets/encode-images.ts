import { type EvalTransform, type ImageDataset, readImages } from "@dcr-js/data";
import * as tf from "@tensorflow/tfjs-core";
import { type Features, openFeatures } from "../features/open-features.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";

export interface EncodeImagesOptions {
  /**
   * Any encoder: pixels `[n, height, width, 3]` after the transform in, features `[n, dim]` out. The pixels are disposed afterwards, and so are
   * features in a tensor.
   */
  encodeImage: (pixels: tf.Tensor4D) => Features | Promise<Features>;
  /** How an image processor prepares the images, `readImages`' transform; all must come out in one size. */
  transform: EvalTransform;
  /** Images at a time. Default 32. */
  batchSize?: number;
  /** Threads that decode; see `readImages`. */
  workers?: number;
}

export interface EncodedImages {
  /** `[n, dim]`; the caller disposes it. */
  features: tf.Tensor2D;
  names: string[];
  labels: (string | undefined)[];
  captions: (string | undefined)[];
}

/**
 * Encodes every image of a data set once, in its order.
 *
 * @throws naming an image that is broken: a figure over fewer images would not be comparable
 *
 * @example
 * const { dataset, classes } = await cifar10("cifar-10-batches-bin");
 * const { features, labels } = await encodeImages(dataset, { encodeImage, transform });
 * const { nmi } = clusteringScores(labels, await kMeans(features, { clusters: classes.length }));
 */
export async function encodeImages(
  dataset: ImageDataset,
  options: EncodeImagesOptions,
): Promise<EncodedImages> {
  const checked = checkOptions("encodeImages", options, {
    encodeImage: "function",
    transform: true,
    batchSize: true,
    workers: true,
  });
  const { encodeImage, transform, batchSize = 32, workers } = checked;
  if (typeof encodeImage !== "function") {
    throw new TypeError(`encodeImages: encodeImage must be a function, got ${describe(encodeImage)}`);
  }
  checkNumber("encodeImages: batchSize", batchSize, { min: 1, integer: true });
  const found: Omit<EncodedImages, "features"> = { names: [], labels: [], captions: [] };
  const parts: tf.Tensor2D[] = [];
  try {
    for await (const batch of readImages(dataset, transform, { strict: true, batchSize, workers })) {
      const count = batch.names.length;
      const part = await encode(batch.images, [count, batch.height, batch.width, 3], encodeImage);
      parts.push(part);
      if (part.shape[0] !== count || part.shape[1] !== parts[0].shape[1]) {
        throw new Error(
          `encodeImages: encodeImage must return [${count}, ${parts[0].shape[1]}] for ${count} images, got [${part.shape}]`,
        );
      }
      found.names.push(...batch.names);
      found.labels.push(...batch.labels);
      found.captions.push(...batch.captions);
    }
    return { features: tf.tidy(() => tf.concat(parts)), ...found };
  } finally {
    tf.dispose(parts);
  }
}

async function encode(
  images: Float32Array,
  shape: [number, number, number, number],
  encodeImage: EncodeImagesOptions["encodeImage"],
): Promise<tf.Tensor2D> {
  const pixels = tf.tensor4d(images, shape);
  let given: Features | undefined;
  try {
    given = await encodeImage(pixels);
    return await openFeatures("encodeImages: encodeImage's features", given);
  } finally {
    if (given instanceof tf.Tensor) given.dispose();
    pixels.dispose();
  }
}
