import type { ImageDataset } from "@dcr-js/data";
import { type EncodedImages, encodeImages } from "@dcr-js/eval/datasets";
import * as tf from "@tensorflow/tfjs-core";
import type { LoadedEncoder } from "./loaded-encoder.js";

/**
 * Encodes every image of a data set, as the encoder's own processor prepares them.
 *
 * @returns features `[n, d]`, not L2-normalised, which the caller disposes, and each row's name, label and caption
 * @throws naming an image that is broken
 */
export function encodeDataset(
  dataset: ImageDataset,
  { encoder, processor }: Pick<LoadedEncoder, "encoder" | "processor">,
): Promise<EncodedImages> {
  const { resize, crop, resample } = processor.transform;
  const { imageSize: size } = encoder;
  return encodeImages(dataset, {
    transform: { resize, crop, resample },
    batchSize: 16,
    encodeImage: (pixels) => {
      const [, height, width] = pixels.shape;
      if (height !== size || width !== size) {
        throw new Error(
          `preprocessor_config.json gives images of ${width} x ${height}, and the encoder takes ${size} x ${size}`,
        );
      }
      return tf.tidy(() => encoder.encodeImage(processor.normalize(pixels)));
    },
  });
}
