import { type ConfigOptions, Embedding, LayerNorm, Module, type PretrainedOptions } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { TextEncoder } from "../encoder.js";
import { type ModelForm, TEXT_FILES } from "../model-folder.js";
import { encoderOfConfig, encoderOfFolder, PretrainedEncoder } from "../pretrained-encoder.js";
import { embedTokens } from "../token-embedding.js";
import { Tower } from "../tower.js";
import { type CLIPTextConfig, parseCLIPTextConfig, parseTextForm } from "./clip-config.js";
import { CLIPEncoder, initializeNormal } from "./clip-encoder.js";

/** Stands in configurations written before transformers 4.31, whatever the vocabulary. */
const LEGACY_EOS_TOKEN_ID = 2;

/** The outputs of a CLIP text tower; the caller disposes both. */
export interface CLIPTextOutput {
  /** `[batch, tokens, width]`, after the final norm. */
  lastHiddenState: tf.Tensor3D;
  /** `[batch, width]`: the last hidden state at each sequence's end-of-text token. */
  pooled: tf.Tensor2D;
}

/** Token and position embeddings of a CLIP text tower. */
export class CLIPTextEmbeddings extends Module {
  readonly token_embedding: Embedding;
  readonly position_embedding: Embedding;

  constructor(private readonly config: CLIPTextConfig) {
    super();
    this.token_embedding = new Embedding(config.vocab_size, config.hidden_size);
    this.position_embedding = new Embedding(config.max_position_embeddings, config.hidden_size);
    initializeNormal(this.token_embedding, 0.02);
    initializeNormal(this.position_embedding, 0.02);
  }

  /** @param inputIds int32 `[batch, tokens]`. @returns `[batch, tokens, width]`. */
  forward(inputIds: tf.Tensor2D): tf.Tensor3D {
    return embedTokens("CLIPTextModel", inputIds, this, this.config);
  }
}

/** A CLIP text tower: causal transformer over tokens, final norm, pooled at the end-of-text token. */
export class CLIPTextTransformer extends Module {
  readonly embeddings: CLIPTextEmbeddings;
  readonly encoder: CLIPEncoder;
  readonly final_layer_norm: LayerNorm;

  constructor(readonly config: CLIPTextConfig) {
    super();
    this.embeddings = new CLIPTextEmbeddings(config);
    this.encoder = new CLIPEncoder(config);
    this.final_layer_norm = new LayerNorm(config.hidden_size, { epsilon: config.layer_norm_eps });
  }

  /**
   * @param inputIds int32 `[batch, tokens]`, tokens at most `max_position_embeddings`
   * @throws on another shape or type, and on an id outside the vocabulary (see {@link CLIPTextModel.forward})
   */
  forward(inputIds: tf.Tensor2D): CLIPTextOutput {
    return tf.tidy(() => {
      const hiddenStates = this.encoder.forward(this.embeddings.forward(inputIds), { causal: true });
      const lastHiddenState = this.final_layer_norm.forward(hiddenStates);
      const [batch, tokens, width] = lastHiddenState.shape;
      const rowStarts = tf.mul(tf.range(0, batch, 1, "int32"), tf.scalar(tokens, "int32"));
      const ends: tf.Tensor1D = tf.add(endPositions(inputIds, this.config.eos_token_id), rowStarts);
      const pooled = tf.gather(tf.reshape(lastHiddenState, [batch * tokens, width]), ends) as tf.Tensor2D;
      return { lastHiddenState, pooled };
    });
  }
}

/**
 * CLIP's text encoder without projection, as Stable Diffusion uses it (transformers' `CLIPTextModel`; weights under
 * `text_model.`). Its feature is the pooled state.
 *
 * @example
 * const encoder = await CLIPTextModel.fromPretrained("stable-diffusion/text_encoder");
 * const { lastHiddenState, pooled } = encoder.forward(tokenizer.encode([""])); // [1, 77, c], [1, c]
 */
export class CLIPTextModel extends PretrainedEncoder implements TextEncoder {
  /** @internal */
  static readonly form: ModelForm = {
    architecture: "CLIPTextModel",
    modelType: "clip_text_model",
    tower: { wholeType: "clip", prefix: "text_model." },
    companions: TEXT_FILES,
    parse: parseTextForm,
  };
  readonly text_model: CLIPTextTransformer;
  readonly config: CLIPTextConfig;
  /** @internal */
  readonly tower: Tower = new Tower("text_model.");

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
  }

  /** The model of a folder without its weights, which says how large it is. Only `config.json` is read. */
  static fromConfig(folder: string, options?: PretrainedOptions): Promise<CLIPTextModel> {
    return encoderOfConfig(CLIPTextModel, folder, options);
  }

  /**
   * Reads a Hugging Face folder: config.json, model.safetensors (whole or in shards), and the files that travel with the model.
   * It may be that of a CLIPModel, or of a CLIPTextModelWithProjection, whose text tower is taken.
   *
   * @param folder a model's folder, for example `stable-diffusion/text_encoder`, or its id on the hub
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `acceptKeys`: unknown keys that may be ignored
   * @throws if a file or a weight is missing, or has another shape than the settings say
   */
  static fromPretrained(folder: string, options?: PretrainedOptions): Promise<CLIPTextModel> {
    return encoderOfFolder(CLIPTextModel, folder, options);
  }

  get featureSize(): number {
    return this.config.hidden_size;
  }

  get contextLength(): number {
    return this.config.max_position_embeddings;
  }

  get vocabSize(): number {
    return this.config.vocab_size;
  }

  /**
   * Encodes token ids.
   *
   * Pooling follows transformers: where the settings' `eos_token_id` is 2 (written before 4.31), at the first of
   * the largest ids; else at the first `eos_token_id`, and at position 0 where there is none.
   *
   * @param inputIds int32 `[batch, tokens]`, tokens at most `max_position_embeddings`
   * @returns the last hidden state and the pooled state
   * @throws on another shape or type. An id outside the vocabulary throws on backends that can read a tensor at
   *   once (cpu, wasm); on WebGPU, where it cannot be seen without waiting, it selects an undefined row.
   */
  forward(inputIds: tf.Tensor2D): CLIPTextOutput {
    return this.text_model.forward(inputIds);
  }

  encodeText(inputIds: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => this.text_model.forward(inputIds).pooled);
  }
}

/** The position at which each sequence is pooled, int32 `[batch]`. Scores are distinct, so that ties break alike everywhere. */
function endPositions(inputIds: tf.Tensor2D, eosTokenId: number): tf.Tensor1D {
  const tokens = inputIds.shape[1];
  const rank =
    eosTokenId === LEGACY_EOS_TOKEN_ID
      ? inputIds
      : tf.cast(tf.equal(inputIds, tf.scalar(eosTokenId, "int32")), "int32");
  const earlier = tf.range(tokens - 1, -1, -1, "int32");
  return tf.argMax(tf.add(tf.mul(rank, tf.scalar(tokens, "int32")), earlier), 1);
}
