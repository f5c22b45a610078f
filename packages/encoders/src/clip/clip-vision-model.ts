import {
  type ConfigOptions,
  Conv2d,
  Embedding,
  LayerNorm,
  type Linear,
  Module,
  Parameter,
  type PretrainedOptions,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { ImageEncoder } from "../encoder.js";
import { linearLayers } from "../linear-layers.js";
import { IMAGE_FILES, type ModelForm } from "../model-folder.js";
import { embedPatches, gridSize } from "../patch-embedding.js";
import { encoderOfConfig, encoderOfFolder, PretrainedEncoder } from "../pretrained-encoder.js";
import { Tower } from "../tower.js";
import { type CLIPVisionConfig, parseCLIPVisionConfig, parseVisionForm } from "./clip-config.js";
import { CLIPEncoder, initializeNormal, normalInitializer } from "./clip-encoder.js";

/** The outputs of a CLIP vision tower; the caller disposes both. */
export interface CLIPVisionOutput {
  /** `[batch, 1 + patches, width]`, the class token first, before any final norm. */
  lastHiddenState: tf.Tensor3D;
  /** `[batch, width]`: the class token after the final norm. */
  pooled: tf.Tensor2D;
}

/** Patch, class and position embeddings of a CLIP vision tower (Dosovitskiy et al. 2021, equation 1). */
export class CLIPVisionEmbeddings extends Module {
  readonly class_embedding: Parameter;
  readonly patch_embedding: Conv2d;
  readonly position_embedding: Embedding;

  constructor(private readonly config: CLIPVisionConfig) {
    super();
    const { hidden_size: width, patch_size: patch, num_channels: channels } = config;
    this.class_embedding = new Parameter([width], { init: normalInitializer(width ** -0.5) });
    this.patch_embedding = new Conv2d(channels, width, patch, { stride: patch, bias: false });
    this.position_embedding = new Embedding(gridSize(config) ** 2 + 1, width);
    initializeNormal(this.patch_embedding, 0.02);
    initializeNormal(this.position_embedding, 0.02);
  }

  /** @param pixels `[batch, image_size, image_size, channels]`. @returns `[batch, 1 + patches, width]`. */
  forward(pixels: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => {
      const patches = embedPatches("CLIPVisionModel", pixels, this.patch_embedding, this.config);
      const [batch, , width] = patches.shape;
      const classTokens = tf.tile(tf.reshape(this.class_embedding.value, [1, 1, width]), [batch, 1, 1]);
      return tf.add(tf.concat([classTokens, patches], 1), this.position_embedding.weight.value);
    });
  }
}

/** A CLIP vision tower: embeddings, norm, transformer, final norm of the class token. */
export class CLIPVisionTransformer extends Module {
  readonly embeddings: CLIPVisionEmbeddings;
  /** Hugging Face's spelling. */
  readonly pre_layrnorm: LayerNorm;
  readonly encoder: CLIPEncoder;
  readonly post_layernorm: LayerNorm;

  constructor(readonly config: CLIPVisionConfig) {
    super();
    const norm = { epsilon: config.layer_norm_eps };
    this.embeddings = new CLIPVisionEmbeddings(config);
    this.pre_layrnorm = new LayerNorm(config.hidden_size, norm);
    this.encoder = new CLIPEncoder(config);
    this.post_layernorm = new LayerNorm(config.hidden_size, norm);
  }

  /**
   * @param pixels `[batch, image_size, image_size, channels]`, normalised as the image processor does
   * @returns every token's last hidden state, and the pooled class token; both are the caller's
   * @throws if pixels have another shape
   */
  forward(pixels: tf.Tensor4D): CLIPVisionOutput {
    return tf.tidy(() => {
      const lastHiddenState = this.encoder.forward(
        this.pre_layrnorm.forward(this.embeddings.forward(pixels)),
      );
      const [batch, , width] = lastHiddenState.shape;
      const classToken = tf.reshape(tf.slice(lastHiddenState, [0, 0, 0], [batch, 1, width]), [batch, width]);
      return { lastHiddenState, pooled: this.post_layernorm.forward(classToken as tf.Tensor2D) };
    });
  }

  /** Every token after the final norm, the class token (equal to `pooled`) first: `[batch, 1 + patches, width]`. */
  tokens(pixels: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => this.post_layernorm.forward(this.forward(pixels).lastHiddenState));
  }
}

/**
 * CLIP's vision tower only, without projection (transformers' `CLIPVisionModel`; weights under `vision_model.`). Its feature
 * is the pooled class token.
 */
export class CLIPVisionModel extends PretrainedEncoder implements ImageEncoder {
  /** @internal */
  static readonly form: ModelForm = {
    architecture: "CLIPVisionModel",
    modelType: "clip_vision_model",
    tower: { wholeType: "clip", prefix: "vision_model." },
    companions: IMAGE_FILES,
    parse: parseVisionForm,
  };
  readonly vision_model: CLIPVisionTransformer;
  readonly config: CLIPVisionConfig;
  /** @internal */
  readonly tower: Tower = new Tower("vision_model.");

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
  }

  /** The model of a folder without its weights, which says how large it is. Only `config.json` is read. */
  static fromConfig(folder: string, options?: PretrainedOptions): Promise<CLIPVisionModel> {
    return encoderOfConfig(CLIPVisionModel, folder, options);
  }

  /**
   * Reads a Hugging Face folder: config.json, model.safetensors (whole or in shards), and the files that travel with the model.
   * It may be that of a CLIPModel, or of a CLIPVisionModelWithProjection, whose vision tower is taken.
   *
   * @param folder a model's folder, or its id on the hub
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `acceptKeys`: unknown keys that may be ignored
   * @throws if a file or a weight is missing, or has another shape than the settings say
   */
  static fromPretrained(folder: string, options?: PretrainedOptions): Promise<CLIPVisionModel> {
    return encoderOfFolder(CLIPVisionModel, folder, options);
  }

  get imageSize(): number {
    return this.config.image_size;
  }

  get featureSize(): number {
    return this.config.hidden_size;
  }

  /** See {@link CLIPVisionTransformer.forward}. */
  forward(pixels: tf.Tensor4D): CLIPVisionOutput {
    return this.vision_model.forward(pixels);
  }

  encodeImage(pixels: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => this.vision_model.forward(pixels).pooled);
  }

  tokens(pixels: tf.Tensor4D): tf.Tensor3D {
    return this.vision_model.tokens(pixels);
  }

  imageLinearLayers(): Map<string, Linear> {
    return linearLayers(this);
  }
}
