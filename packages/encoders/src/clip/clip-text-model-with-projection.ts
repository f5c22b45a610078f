import { type ConfigOptions, Linear } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { TextEncoder } from "../encoder.js";
import { type ModelForm, TEXT_FILES } from "../model-folder.js";
import { PretrainedEncoder } from "../pretrained-encoder.js";
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
