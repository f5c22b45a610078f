import { type ConfigOptions, Linear, type PretrainedOptions } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { TextEncoder } from "../encoder.js";
import { type ModelForm, TEXT_FILES } from "../model-folder.js";
import { encoderOfConfig, encoderOfFolder, PretrainedEncoder } from "../pretrained-encoder.js";
import { type CLIPTextConfig, parseCLIPTextConfig, parseTextForm } from "./clip-config.js";
import { initializeNormal } from "./clip-encoder.js";
import { type CLIPTextOutput, CLIPTextTransformer } from "./clip-text-model.js";

/**
 * CLIP's text tower with its projection into the space of images (transformers' `CLIPTextModelWithProjection`), as Stable
 * Diffusion XL uses it for its pooled condition.
 */
export class CLIPTextModelWithProjection extends PretrainedEncoder implements TextEncoder {
  /** @internal */
  static readonly form: ModelForm = {
    architecture: "CLIPTextModelWithProjection",
    modelType: "clip_text_model",
    tower: { wholeType: "clip", prefix: "text_model." },
    companions: TEXT_FILES,
    parse: parseTextForm,
  };
  readonly text_model: CLIPTextTransformer;
  readonly text_projection: Linear;
  readonly config: CLIPTextConfig;

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

  /** The model of a folder without its weights, which says how large it is. Only `config.json` is read. */
  static fromConfig(folder: string, options?: PretrainedOptions): Promise<CLIPTextModelWithProjection> {
    return encoderOfConfig(CLIPTextModelWithProjection, folder, options);
  }

  /**
   * Reads a Hugging Face folder: config.json, model.safetensors (whole or in shards), and the files that travel with the model.
   * It may be that of a CLIPModel, whose text tower and projection are taken.
   *
   * @param folder a model's folder, or its id on the hub
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `acceptKeys`: unknown keys that may be ignored
   * @throws if a file or a weight is missing (a CLIPTextModel has no projection), or has another shape than the settings say
   */
  static fromPretrained(folder: string, options?: PretrainedOptions): Promise<CLIPTextModelWithProjection> {
    return encoderOfFolder(CLIPTextModelWithProjection, folder, options);
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
}
