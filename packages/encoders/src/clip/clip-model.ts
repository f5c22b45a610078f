import { type ConfigOptions, Linear, l2Normalize, Parameter, type PretrainedOptions } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { ImageTextEncoder } from "../encoder.js";
import { linearLayers } from "../linear-layers.js";
import { IMAGE_FILES, type ModelForm, TEXT_FILES } from "../model-folder.js";
import { encoderOfConfig, encoderOfFolder, PretrainedEncoder } from "../pretrained-encoder.js";
import { type CLIPConfig, type CLIPConfigInput, parseCLIPConfig } from "./clip-config.js";
import { initializeNormal } from "./clip-encoder.js";
import { CLIPTextTransformer } from "./clip-text-model.js";
import { CLIPVisionTransformer } from "./clip-vision-model.js";

/**
 * CLIP (Radford et al. 2021): a vision and a text tower, each projected to one space; transformers' `CLIPModel`.
 *
 * @example
 * const clip = await CLIPModel.fromPretrained("openai/clip-vit-large-patch14");
 * const z = clip.encodeImage(processor.normalize(images)); // [batch, projection_dim]
 */
export class CLIPModel extends PretrainedEncoder implements ImageTextEncoder {
  /** @internal */
  static readonly form: ModelForm = {
    architecture: "CLIPModel",
    modelType: "clip",
    companions: [...IMAGE_FILES, ...TEXT_FILES],
    parse: ({ config, how }) => parseCLIPConfig(config, how),
  };
  readonly config: CLIPConfig;
  readonly text_model: CLIPTextTransformer;
  readonly vision_model: CLIPVisionTransformer;
  readonly visual_projection: Linear;
  readonly text_projection: Linear;
  /** The logarithm of the inverse temperature, a scalar. */
  readonly logit_scale: Parameter;

  /**
   * A model without weights: call `initialize` or `loadStateDict`.
   *
   * @param config settings as in config.json; what is left out has transformers' defaults
   * @param options `acceptKeys`: unknown keys that may be ignored
   * @throws naming every setting that is not what it should be
   */
  constructor(config: CLIPConfigInput, options: ConfigOptions = {}) {
    super();
    this.config = parseCLIPConfig(config, options);
    const { text_config: text, vision_config: vision, projection_dim: dim } = this.config;
    this.text_model = new CLIPTextTransformer(text);
    this.vision_model = new CLIPVisionTransformer(vision);
    this.visual_projection = new Linear(vision.hidden_size, dim, { bias: false });
    this.text_projection = new Linear(text.hidden_size, dim, { bias: false });
    initializeNormal(this.visual_projection, vision.hidden_size ** -0.5);
    initializeNormal(this.text_projection, text.hidden_size ** -0.5);
    const scale = this.config.logit_scale_init_value;
    this.logit_scale = new Parameter([], { init: () => tf.scalar(scale) });
  }

  /** The model of a folder without its weights, which says how large it is. Only `config.json` is read. */
  static fromConfig(folder: string, options?: PretrainedOptions): Promise<CLIPModel> {
    return encoderOfConfig(CLIPModel, folder, options);
  }

  /**
   * Reads a Hugging Face folder: config.json, model.safetensors (whole or in shards), and the files that travel with the model.
   *
   * @param folder a model's folder, for example a copy of `openai/clip-vit-large-patch14`, or its id on the hub
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `acceptKeys`: unknown keys that may be ignored
   * @throws if a file or a weight is missing, or has another shape than the settings say
   */
  static fromPretrained(folder: string, options?: PretrainedOptions): Promise<CLIPModel> {
    return encoderOfFolder(CLIPModel, folder, options);
  }

  get imageSize(): number {
    return this.config.vision_config.image_size;
  }

  get featureSize(): number {
    return this.config.projection_dim;
  }

  get contextLength(): number {
    return this.config.text_config.max_position_embeddings;
  }

  get vocabSize(): number {
    return this.config.text_config.vocab_size;
  }

  /**
   * The image feature `z = f(x)`: the class token after the final norm, projected. It is not L2-normalised
   * (transformers' `get_image_features`): normalise it for cosine similarities, pass it as it is to a projector.
   *
   * @param pixels `[batch, image_size, image_size, channels]`, normalised as the image processor does
   * @returns `[batch, projection_dim]`; the caller disposes it
   * @throws if pixels have another shape
   */
  encodeImage(pixels: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => this.visual_projection.forward(this.vision_model.forward(pixels).pooled));
  }

  /**
   * Every token of the vision tower, normed and projected as the class token is: the class token first (equal to
   * {@link encodeImage}), then the local (patch) tokens in row order. For conditions of class token plus local tokens.
   *
   * @param pixels `[batch, image_size, image_size, channels]`, normalised as the image processor does
   * @returns `[batch, 1 + patches, projection_dim]`; the caller disposes it
   */
  tokens(pixels: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => this.visual_projection.forward(this.vision_model.tokens(pixels)));
  }

  /** The vision tower's linear layers and the projection. */
  imageLinearLayers(): Map<string, Linear> {
    const layers = linearLayers(this.vision_model, "vision_model.");
    return layers.set("visual_projection", this.visual_projection);
  }

  /**
   * The text feature: the state at the end-of-text token, projected, not L2-normalised (`get_text_features`).
   *
   * @param inputIds int32 `[batch, tokens]`, from a `CLIPTokenizer`
   * @returns `[batch, projection_dim]`; the caller disposes it
   * @throws on another shape or type, and on an id outside the vocabulary (where the backend can tell)
   */
  encodeText(inputIds: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => this.text_projection.forward(this.text_model.forward(inputIds).pooled));
  }

  /** Cosine similarities divided by the temperature (transformers' `logits_per_image`). */
  logitsPerImage(imageFeatures: tf.Tensor2D, textFeatures: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const cosines = tf.matMul(l2Normalize(imageFeatures), l2Normalize(textFeatures), false, true);
      return tf.mul(cosines, tf.exp(this.logit_scale.value));
    });
  }
}
