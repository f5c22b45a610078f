import { type ConfigOptions, Linear, type PretrainedOptions } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { ImageEncoder } from "../encoder.js";
import { linearLayers } from "../linear-layers.js";
import { IMAGE_FILES, type ModelForm } from "../model-folder.js";
import { encoderOfConfig, encoderOfFolder, PretrainedEncoder } from "../pretrained-encoder.js";
import { type CLIPVisionConfig, parseCLIPVisionConfig, parseVisionForm } from "./clip-config.js";
import { initializeNormal } from "./clip-encoder.js";
import { CLIPVisionTransformer } from "./clip-vision-model.js";

/**
 * CLIP's vision tower with its projection into the space of texts (transformers' `CLIPVisionModelWithProjection`): the visual
 * encoder `f` of DCR without the text tower.
 *
 * @example
 * const f = await CLIPVisionModelWithProjection.fromPretrained("openai/clip-vit-large-patch14");
 * const z = f.encodeImage(processor.normalize(images)); // [batch, projection_dim]
 */
export class CLIPVisionModelWithProjection extends PretrainedEncoder implements ImageEncoder {
  /** @internal */
  static readonly form: ModelForm = {
    architecture: "CLIPVisionModelWithProjection",
    modelType: "clip_vision_model",
    tower: { wholeType: "clip", prefix: "vision_model." },
    companions: IMAGE_FILES,
    parse: parseVisionForm,
  };
  readonly vision_model: CLIPVisionTransformer;
  readonly visual_projection: Linear;
  readonly config: CLIPVisionConfig;

  /**
   * A model without weights: call `initialize` or `loadStateDict`.
   *
   * @param config settings as in config.json; what is left out has transformers' defaults
   * @param options `acceptKeys`: unknown keys that may be ignored
   * @throws naming every setting that is not what it should be
   */
  constructor(config: Partial<CLIPVisionConfig>, options: ConfigOptions = {}) {
    super();
    this.config = parseCLIPVisionConfig(config, options);
    this.vision_model = new CLIPVisionTransformer(this.config);
    const { hidden_size: width, projection_dim: dim } = this.config;
    this.visual_projection = new Linear(width, dim, { bias: false });
    initializeNormal(this.visual_projection, width ** -0.5);
  }

  /** The model of a folder without its weights, which says how large it is. Only `config.json` is read. */
  static fromConfig(folder: string, options?: PretrainedOptions): Promise<CLIPVisionModelWithProjection> {
    return encoderOfConfig(CLIPVisionModelWithProjection, folder, options);
  }

  /**
   * Reads a Hugging Face folder: config.json, model.safetensors (whole or in shards), and the files that travel with the model.
   * It may be that of a CLIPModel, whose vision tower and projection are taken.
   *
   * @param folder a model's folder, or its id on the hub
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `acceptKeys`: unknown keys that may be ignored
   * @throws if a file or a weight is missing (a CLIPVisionModel has no projection), or has another shape than the settings say
   */
  static fromPretrained(folder: string, options?: PretrainedOptions): Promise<CLIPVisionModelWithProjection> {
    return encoderOfFolder(CLIPVisionModelWithProjection, folder, options);
  }

  get imageSize(): number {
    return this.config.image_size;
  }

  get featureSize(): number {
    return this.config.projection_dim;
  }

  encodeImage(pixels: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => this.visual_projection.forward(this.vision_model.forward(pixels).pooled));
  }

  tokens(pixels: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => this.visual_projection.forward(this.vision_model.tokens(pixels)));
  }

  imageLinearLayers(): Map<string, Linear> {
    return linearLayers(this);
  }
}
