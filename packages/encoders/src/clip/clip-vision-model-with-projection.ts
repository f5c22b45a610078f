import {
  type ConfigOptions,
  Linear,
  Module,
  type PretrainedOptions,
  type SavePretrainedOptions,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { ImageEncoder } from "../encoder.js";
import { linearLayers } from "../linear-layers.js";
import { IMAGE_FILES, loadForm, type ModelForm, saveForm } from "../model-folder.js";
import { type CLIPVisionConfig, parseCLIPVisionConfig } from "./clip-config.js";
import { initializeNormal } from "./clip-encoder.js";
import { CLIPVisionTransformer, readCLIPVisionConfig } from "./clip-vision-model.js";

const FORM: ModelForm = {
  architecture: "CLIPVisionModelWithProjection",
  modelType: "clip_vision_model",
  tower: { wholeType: "clip", prefix: "vision_model." },
  companions: IMAGE_FILES,
};

/**
 * CLIP's vision tower with its projection into the space of texts (transformers' `CLIPVisionModelWithProjection`): the visual
 * encoder `f` of DCR without the text tower.
 *
 * @example
 * const f = await CLIPVisionModelWithProjection.fromPretrained("openai/clip-vit-large-patch14");
 * const z = f.encodeImage(processor.normalize(images)); // [batch, projection_dim]
 */
export class CLIPVisionModelWithProjection extends Module implements ImageEncoder {
  readonly vision_model: CLIPVisionTransformer;
  readonly visual_projection: Linear;
  readonly config: CLIPVisionConfig;
  /** Files that travel with the model (its image processor's): read with it and written by `savePretrained`. */
  readonly companionFiles: Record<string, Uint8Array> = {};

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

  /**
   * The model of a folder without its weights, which says how large it is. Only `config.json` is read.
   *
   * @param options as of {@link fromPretrained}
   */
  static async fromConfig(
    folder: string,
    options: PretrainedOptions = {},
  ): Promise<CLIPVisionModelWithProjection> {
    const config = await readCLIPVisionConfig(folder, FORM, options);
    return new CLIPVisionModelWithProjection(config, { acceptKeys: options.acceptKeys });
  }

  /**
   * Reads a folder with config.json and model.safetensors (whole or in shards). The folder of a whole CLIPModel will do as
   * well: its vision tower and projection are taken.
   *
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `acceptKeys`: unknown keys that may be ignored
   * @throws if a file or a weight is missing (a CLIPVisionModel has no projection), or has another shape than the settings say
   */
  static async fromPretrained(
    folder: string,
    options: PretrainedOptions = {},
  ): Promise<CLIPVisionModelWithProjection> {
    return loadForm(await CLIPVisionModelWithProjection.fromConfig(folder, options), folder, FORM, options);
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

  savePretrained(folder: string, options?: SavePretrainedOptions): Promise<void> {
    return saveForm(this, folder, FORM, options);
  }
}
