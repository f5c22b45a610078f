import type { Linear, Module } from "@dcr-js/tensor";
import type * as tf from "@tensorflow/tfjs-core";

/**
 * A visual encoder: the trainer, the adapters and the evaluation know nothing else about CLIP, SigLIP or a user's own model.
 *
 * Every encoder is a `Module`, so its weights have Hugging Face's names and can be frozen, stored as float16 and saved.
 */
export interface ImageEncoder extends Module {
  /** Width and height of the images it takes, in pixels. */
  readonly imageSize: number;
  /** Width `d` of its feature. */
  readonly featureSize: number;
  /**
   * The image feature `z = f(x)`, not L2-normalised.
   *
   * @param pixels `[n, imageSize, imageSize, 3]`, normalised as the encoder's image processor does
   * @returns `[n, featureSize]`, differentiable; the caller disposes it
   */
  encodeImage(pixels: tf.Tensor4D): tf.Tensor2D;
  /**
   * The feature first, then one vector for each local token in row order, for conditions of class token and local tokens.
   *
   * @param pixels as for `encodeImage`
   * @returns `[n, 1 + local tokens, featureSize]`; the caller disposes it
   */
  tokens(pixels: tf.Tensor4D): tf.Tensor3D;
  /** The linear layers of the image tower, which adapters can attach to, by their state-dict name. */
  imageLinearLayers(): Map<string, Linear>;
  /**
   * Writes a Hugging Face model folder.
   *
   * @throws while adapters are in place; nothing is written then
   */
  savePretrained(folder: string, options?: { dtype?: "F32" | "F16" }): Promise<void>;
}

/** A text encoder into the space of an {@link ImageEncoder}. */
export interface TextEncoder extends Module {
  /**
   * The text feature, not L2-normalised.
   *
   * @param inputIds `[n, tokens]`, as the model's tokenizer makes them
   * @returns `[n, featureSize]`, differentiable; the caller disposes it
   */
  encodeText(inputIds: tf.Tensor2D): tf.Tensor2D;
}
