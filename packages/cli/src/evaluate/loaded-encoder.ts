import { type ImageEncoder, type ImageProcessor, loadImageEncoder } from "@dcr-js/encoders";
import type * as tf from "@tensorflow/tfjs-core";

/** An encoder with all that its folder holds, and what prepares its inputs. */
export interface LoadedEncoder {
  encoder: ImageEncoder;
  processor: ImageProcessor;
  /**
   * Features of texts, `[n, d]`, not L2-normalised; the caller disposes them.
   *
   * @throws where the encoder has no text tower, or its folder no tokenizer
   */
  encodeText(texts: string[]): Promise<tf.Tensor2D>;
  dispose(): void;
}

/** Loads an encoder with both towers where it has them. */
export async function loadWholeEncoder(folder: string): Promise<LoadedEncoder> {
  const { encoder, processor, textEncoder, tokenizer, dispose } = await loadImageEncoder(folder);
  return {
    encoder,
    processor,
    encodeText: async (texts) => {
      if (!textEncoder) throw new Error(`${folder}: the model has no text tower`);
      if (!tokenizer) throw new Error(`${folder}: the folder has no tokenizer`);
      const ids = tokenizer.encode(texts);
      try {
        return textEncoder.encodeText(ids);
      } finally {
        ids.dispose();
      }
    },
    dispose,
  };
}
