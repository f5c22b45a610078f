import {
  type ConfigOptions,
  Linear,
  Module,
  type PretrainedOptions,
  type SavePretrainedOptions,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { TextEncoder } from "../encoder.js";
import { loadForm, type ModelForm, saveForm, TEXT_FILES } from "../model-folder.js";
import { type CLIPTextConfig, parseCLIPTextConfig } from "./clip-config.js";
import { initializeNormal } from "./clip-encoder.js";
import { type CLIPTextOutput, CLIPTextTransformer, readCLIPTextConfig } from "./clip-text-model.js";

const FORM: ModelForm = {
  architecture: "CLIPTextModelWithProjection",
  modelType: "clip_text_model",
  tower: { wholeType: "clip", prefix: "text_model." },
  companions: TEXT_FILES,
};

/**
 * CLIP's text tower with its projection into the space of images (transformers' `CLIPTextModelWithProjection`), as Stable
 * Diffusion XL uses it for its pooled condition.
 */
export class CLIPTextModelWithProjection extends Module implements TextEncoder {
  readonly text_model: CLIPTextTransformer;
  readonly text_projection: Linear;
  readonly config: CLIPTextConfig;
  /** Files that travel with the model (its tokenizer's): read with it and written by `savePretrained`. */
  readonly companionFiles: Record<string, Uint8Array> = {};

  /**
   * A model without weights: call `initialize` or `loadStateDict`.
   *
   * @param config settings as in config.json; what is left out has transformers' defaults
   * @param options `acceptKeys`: unknown keys that may be ignored
   * @throws naming every setting that is not what it should be
   */
  constructor(config: Partial<CLIPTextConfig>, options: ConfigOptions = {}) {
    super();
    this.config = parseCLIPTextConfig(config, options);
    this.text_model = new CLIPTextTransformer(this.config);
    const { hidden_size: width, projection_dim: dim } = this.config;
    this.text_projection = new Linear(width, dim, { bias: false });
    initializeNormal(this.text_projection, width ** -0.5);
  }

  /**
   * Reads a folder with config.json and model.safetensors (whole or in shards). The folder of a whole CLIPModel will do as
   * well: its text tower and projection are taken.
   *
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `acceptKeys`: unknown keys that may be ignored
   * @throws if a file or a weight is missing (a CLIPTextModel has no projection), or has another shape than the settings say
   */
  static async fromPretrained(
    folder: string,
    options: PretrainedOptions = {},
  ): Promise<CLIPTextModelWithProjection> {
    const config = await readCLIPTextConfig(folder, FORM, options);
    return loadForm(
      new CLIPTextModelWithProjection(config, { acceptKeys: options.acceptKeys }),
      folder,
      FORM,
      options,
    );
  }

  get featureSize(): number {
    return this.config.projection_dim;
  }

  get contextLength(): number {
    return this.config.max_position_embeddings;
  }

  get vocabSize(): number {
    return this.config.vocab_size;
  }

  /** See {@link CLIPTextTransformer.forward}: the pooled state is not projected. */
  forward(inputIds: tf.Tensor2D): CLIPTextOutput {
    return this.text_model.forward(inputIds);
  }

  encodeText(inputIds: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => this.text_projection.forward(this.text_model.forward(inputIds).pooled));
  }

  /**
   * Writes config.json, model.safetensors and the tokenizer's files, as transformers reads them; every file atomically.
   *
   * @param folder made if it is missing
   * @throws while adapters are in place; nothing is written then
   */
  savePretrained(folder: string, options?: SavePretrainedOptions): Promise<void> {
    return saveForm(this, folder, FORM, options);
  }
}
