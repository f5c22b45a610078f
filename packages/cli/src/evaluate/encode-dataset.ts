import { type ImageDataset, readImages } from "@dcr-js/data";
import * as tf from "@tensorflow/tfjs-core";
import type { LoadedEncoder } from "./loaded-encoder.js";

/** A data set's features, and what belongs to each row. */
export interface EncodedDataset {
  /** `[n, d]`, not L2-normalised; the caller disposes it. */
  features: tf.Tensor2D;
  names: string[];
  /** The class of each image, where the data set has classes. */
  labels: (string | undefined)[];
}

/**
 * Encodes every image of a data set, as the encoder's own processor prepares them.
 *
 * @throws naming an image that is broken
 */
export async function encodeDataset(
  dataset: ImageDataset,
  { encoder, processor }: Pick<LoadedEncoder, "encoder" | "processor">,
): Promise<EncodedDataset> {
  const { resize, crop, resample } = processor.transform;
  const { imageSize: size } = encoder;
  const names: string[] = [];
  const labels: (string | undefined)[] = [];
  const parts: tf.Tensor2D[] = [];
  try {
    for await (const batch of readImages(
      dataset,
      { resize, crop, resample },
      { strict: true, batchSize: 16 },
    )) {
      if (batch.width !== size || batch.height !== size) {
        throw new Error(
          `preprocessor_config.json gives images of ${batch.width} x ${batch.height}, and the encoder takes ${size} x ${size}`,
        );
      }
      const shape: [number, number, number, number] = [batch.names.length, size, size, 3];
      parts.push(tf.tidy(() => encoder.encodeImage(processor.normalize(tf.tensor4d(batch.images, shape)))));
      names.push(...batch.names);
      labels.push(...batch.labels);
    }
    return { features: tf.tidy(() => tf.concat(parts)), names, labels };
  } finally {
    tf.dispose(parts);
  }
}
