import {
  type ConfigOptions,
  Embedding,
  LayerNorm,
  Linear,
  Module,
  type PretrainedOptions,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { initializeNormal } from "../clip/clip-encoder.js";
import type { TextEncoder } from "../encoder.js";
import { type ModelForm, TEXT_FILES } from "../model-folder.js";
import { encoderOfConfig, encoderOfFolder, PretrainedEncoder } from "../pretrained-encoder.js";
import { embedTokens } from "../token-embedding.js";
import { Tower } from "../tower.js";
import { parseSiglipConfig, parseSiglipTextConfig, type SiglipTextConfig } from "./siglip-config.js";
import { SiglipEncoder } from "./siglip-encoder.js";

/** The outputs of a SigLIP text tower; the caller disposes both. */
export interface SiglipTextOutput {
  /** `[batch, tokens, width]`, after the final norm. */
  lastHiddenState: tf.Tensor3D;
  /** `[batch, projection_size]`: the last token's state, mapped by the head. */
  pooled: tf.Tensor2D;
}

/** Token and position embeddings of a SigLIP text tower. */
export class SiglipTextEmbeddings extends Module {
  readonly token_embedding: Embedding;
  readonly position_embedding: Embedding;

  constructor(private readonly config: SiglipTextConfig) {
    super();
    const { hidden_size: width } = config;
    this.token_embedding = new Embedding(config.vocab_size, width);
    this.position_embedding = new Embedding(config.max_position_embeddings, width);
    initializeNormal(this.token_embedding, width ** -0.5);
    initializeNormal(this.position_embedding, width ** -0.5);
  }

  /** @param inputIds int32 `[batch, tokens]`. @returns `[batch, tokens, width]`. */
  forward(inputIds: tf.Tensor2D): tf.Tensor3D {
    return embedTokens("SiglipTextModel", inputIds, this, this.config);
  }
}

/** A SigLIP text tower: a transformer that sees all tokens, final norm, head of the last token (Zhai et al. 2023). */
export class SiglipTextTransformer extends Module {
  readonly embeddings: SiglipTextEmbeddings;
  readonly encoder: SiglipEncoder;
  readonly final_layer_norm: LayerNorm;
  readonly head: Linear;

  constructor(readonly config: SiglipTextConfig) {
    super();
    const { hidden_size: width } = config;
    this.embeddings = new SiglipTextEmbeddings(config);
    this.encoder = new SiglipEncoder(config);
    this.final_layer_norm = new LayerNorm(width, { epsilon: config.layer_norm_eps });
    this.head = new Linear(width, config.projection_size);
    initializeNormal(this.head, width ** -0.5);
  }

  /**
   * The state is pooled at the last token, padding or not: texts must be padded to the length that the model was trained with,
   * 64 (transformers' `padding="max_length"`).
   *
   * @param inputIds int32 `[batch, tokens]`, tokens at most `max_position_embeddings`
   * @throws on another shape or type, and on an id outside the vocabulary (where the backend can tell)
   */
  forward(inputIds: tf.Tensor2D): SiglipTextOutput {
    return tf.tidy(() => {
      const hiddenStates = this.encoder.forward(this.embeddings.forward(inputIds));
      const lastHiddenState = this.final_layer_norm.forward(hiddenStates);
      const [batch, tokens, width] = lastHiddenState.shape;
      const last = tf.reshape(tf.slice(lastHiddenState, [0, tokens - 1, 0], [batch, 1, width]), [
        batch,
        width,
      ]);
      return { lastHiddenState, pooled: this.head.forward(last as tf.Tensor2D) };
    });
  }
}

/** SigLIP's text tower (transformers' `SiglipTextModel`; weights under `text_model.`). */
export class SiglipTextModel extends PretrainedEncoder implements TextEncoder {
  /** @internal */
  static readonly form: ModelForm = {
    architecture: "SiglipTextModel",
    modelType: "siglip_text_model",
    tower: { wholeType: "siglip", prefix: "text_model." },
    companions: TEXT_FILES,
    parse: ({ config, whole, how }) =>
      whole ? parseSiglipConfig(config, how).text_config : parseSiglipTextConfig(config, how),
  };
  readonly text_model: SiglipTextTransformer;
  readonly config: SiglipTextConfig;
  /** @internal */
  readonly tower: Tower = new Tower("text_model.");

  /**
   * A model without weights: call `initialize` or `loadStateDict`.
   *
   * @param config settings as in config.json; what is left out has transformers' defaults
   * @param options `acceptKeys`: unknown keys that may be ignored
   * @throws naming every setting that is not what it should be
   */
  constructor(config: Partial<SiglipTextConfig>, options: ConfigOptions = {}) {
    super();
    this.config = parseSiglipTextConfig(config, options);
    this.text_model = new SiglipTextTransformer(this.config);
  }

  /** The model of a folder without its weights, which says how large it is. Only `config.json` is read. */
  static fromConfig(folder: string, options?: PretrainedOptions): Promise<SiglipTextModel> {
    return encoderOfConfig(SiglipTextModel, folder, options);
  }

  /**
   * Reads a Hugging Face folder: config.json, model.safetensors (whole or in shards), and the files that travel with the model.
   * It may be that of a SiglipModel, whose text tower is taken.
   *
   * @param folder a model's folder, or its id on the hub
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `acceptKeys`: unknown keys that may be ignored
   * @throws if a file or a weight is missing, or has another shape than the settings say
   */
  static fromPretrained(folder: string, options?: PretrainedOptions): Promise<SiglipTextModel> {
    return encoderOfFolder(SiglipTextModel, folder, options);
  }

  get featureSize(): number {
    return this.config.projection_size;
  }

  get contextLength(): number {
    return this.config.max_position_embeddings;
  }

  get vocabSize(): number {
    return this.config.vocab_size;
  }

  /**
   * Pools the state at the last token, padding or not: pad texts to the length that the model was trained with, 64.
   *
   * @param inputIds int32 `[batch, tokens]`, tokens at most `max_position_embeddings`
   * @returns every token's last hidden state, and the pooled one; the caller disposes both
   * @throws on another shape or type, and on an id outside the vocabulary (where the backend can tell)
   */
  forward(inputIds: tf.Tensor2D): SiglipTextOutput {
    return this.text_model.forward(inputIds);
  }

  encodeText(inputIds: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => this.text_model.forward(inputIds).pooled);
  }
}
