import type { Linear, Module, SavePretrainedOptions } from "@dcr-js/tensor";
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
   * @throws if pixels have another shape
   */
  encodeImage(pixels: tf.Tensor4D): tf.Tensor2D;
  /**
   * The feature first, equal to {@link encodeImage}, then one vector for each local (patch) token in row order: the condition
   * of class token plus local tokens.
   *
   * @param pixels as for `encodeImage`
   * @returns `[n, 1 + local tokens, featureSize]`, differentiable; the caller disposes it
   */
  tokens(pixels: tf.Tensor4D): tf.Tensor3D;
  /** The linear layers of the image tower, which adapters can attach to, by their state-dict name. */
  imageLinearLayers(): Map<string, Linear>;
  /**
   * Writes a Hugging Face model folder: config.json, model.safetensors and the files that came with the model. An image processor's
   * or tokenizer's file that the folder has and the model does not carry is removed: it would be another model's.
   *
   * @param folder made if it is missing
   * @throws while adapters are in place, or where a weight is not finite as it is stored; nothing is written then
   */
  savePretrained(folder: string, options?: SavePretrainedOptions): Promise<void>;
}

/** A text encoder into the space of an {@link ImageEncoder}. */
export interface TextEncoder extends Module {
  /** Width `d` of its feature. */
  readonly featureSize: number;
  /** The most tokens that a text may have, special tokens included. */
  readonly contextLength: number;
  /** How many tokens it knows: ids are below it. */
  readonly vocabSize: number;
  /**
   * The text feature, not L2-normalised.
   *
   * @param inputIds int32 `[n, tokens]`, as the model's tokenizer makes them
   * @returns `[n, featureSize]`, differentiable; the caller disposes it
   * @throws on another shape or type, and on an id outside the vocabulary (where the backend can tell)
   */
  encodeText(inputIds: tf.Tensor2D): tf.Tensor2D;
}

/** Images and texts in one space, with the score that the pair was trained by. */
export interface ImageTextEncoder extends ImageEncoder, TextEncoder {
  /**
   * How well each image fits each text, as the model was trained: softmax over texts gives CLIP's probabilities, a sigmoid
   * gives SigLIP's.
   *
   * @param imageFeatures `[n, featureSize]`, from `encodeImage`; normalised here
   * @param textFeatures `[m, featureSize]`, from `encodeText`; normalised here
   * @returns `[n, m]`, differentiable; the caller disposes it
   */
  logitsPerImage(imageFeatures: tf.Tensor2D, textFeatures: tf.Tensor2D): tf.Tensor2D;
}
