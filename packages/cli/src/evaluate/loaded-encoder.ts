import {
  CLIPImageProcessor,
  CLIPTokenizer,
  type ImageEncoder,
  type ImageTextEncoder,
} from "@dcr-js/encoders";
import type * as tf from "@tensorflow/tfjs-core";
import { readEncoderForm } from "../models/encoder-forms.js";

/** An encoder with all that its folder holds, and what prepares its inputs. */
export interface LoadedEncoder {
  encoder: ImageEncoder;
  processor: CLIPImageProcessor;
  /**
   * Features of texts, `[n, d]`, not L2-normalised; the caller disposes them.
   *
   * @throws where the encoder has no text tower
   */
  encodeText(texts: string[]): Promise<tf.Tensor2D>;
  dispose(): void;
}

/** Loads an encoder with both towers where it has them. */
export async function loadWholeEncoder(folder: string): Promise<LoadedEncoder> {
  const { whole } = await readEncoderForm(folder);
  const encoder = await whole.fromPretrained(folder);
  const processor = await CLIPImageProcessor.fromPretrained(folder);
  return {
    encoder,
    processor,
    encodeText: async (texts) => {
      const withText = encoder as Partial<ImageTextEncoder> & ImageEncoder;
      if (!withText.encodeText) throw new Error(`${folder}: the model has no text tower`);
      const tokenizer = await CLIPTokenizer.fromPretrained(folder);
      const ids = tokenizer.encode(texts);
      try {
        return withText.encodeText(ids);
      } finally {
        ids.dispose();
      }
    },
    dispose: () => encoder.dispose(),
  };
}
