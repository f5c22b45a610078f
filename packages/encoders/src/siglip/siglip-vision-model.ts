import {
  type ConfigOptions,
  Conv2d,
  Embedding,
  LayerNorm,
  type Linear,
  Module,
  type PretrainedOptions,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { initializeNormal } from "../clip/clip-encoder.js";
import type { ImageEncoder } from "../encoder.js";
import { linearLayers } from "../linear-layers.js";
import { IMAGE_FILES, type ModelForm } from "../model-folder.js";
import { embedPatches, gridSize } from "../patch-embedding.js";
import { encoderOfConfig, encoderOfFolder, PretrainedEncoder } from "../pretrained-encoder.js";
import { Tower } from "../tower.js";
import { parseSiglipConfig, parseSiglipVisionConfig, type SiglipVisionConfig } from "./siglip-config.js";
import { SiglipEncoder } from "./siglip-encoder.js";
import { SiglipPoolingHead } from "./siglip-pooling-head.js";

/** The outputs of a SigLIP vision tower; the caller disposes both. */
export interface SiglipVisionOutput {
  /** `[batch, patches, width]`, after the final norm. */
  lastHiddenState: tf.Tensor3D;
  /** `[batch, width]`: pooled by attention. */
  pooled: tf.Tensor2D;
}

/** Patch and position embeddings of a SigLIP vision tower; it has no class token. */
export class SiglipVisionEmbeddings extends Module {
  readonly patch_embedding: Conv2d;
  readonly position_embedding: Embedding;

  constructor(private readonly config: SiglipVisionConfig) {
    super();
    const { hidden_size: width, patch_size: patch, num_channels: channels } = config;
    this.patch_embedding = new Conv2d(channels, width, patch, { stride: patch });
    this.position_embedding = new Embedding(gridSize(config) ** 2, width);
    initializeNormal(this.patch_embedding, (channels * patch * patch) ** -0.5);
    initializeNormal(this.position_embedding, width ** -0.5);
  }

  /** @param pixels `[batch, image_size, image_size, channels]`. @returns `[batch, patches, width]`. */
  forward(pixels: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => {
      const patches = embedPatches("SiglipVisionModel", pixels, this.patch_embedding, this.config);
      return tf.add(patches, this.position_embedding.weight.value);
    });
  }
}

/** A SigLIP vision tower: embeddings, transformer, final norm, attention pooling (Zhai et al. 2023). */
export class SiglipVisionTransformer extends Module {
  readonly embeddings: SiglipVisionEmbeddings;
  readonly encoder: SiglipEncoder;
  readonly post_layernorm: LayerNorm;
  readonly head: SiglipPoolingHead;

  constructor(readonly config: SiglipVisionConfig) {
    super();
    this.embeddings = new SiglipVisionEmbeddings(config);
    this.encoder = new SiglipEncoder(config);
    this.post_layernorm = new LayerNorm(config.hidden_size, { epsilon: config.layer_norm_eps });
    this.head = new SiglipPoolingHead(config);
  }

  /**
   * @param pixels `[batch, image_size, image_size, channels]`, normalised as the image processor does
   * @returns every token's last hidden state, and what is pooled of them; both are the caller's
   * @throws if pixels have another shape
   */
  forward(pixels: tf.Tensor4D): SiglipVisionOutput {
    return tf.tidy(() => {
      const hiddenStates = this.encoder.forward(this.embeddings.forward(pixels));
      const lastHiddenState = this.post_layernorm.forward(hiddenStates);
      return { lastHiddenState, pooled: this.head.forward(lastHiddenState) };
    });
  }

  /** The pooled feature, then every local token: `[batch, 1 + patches, width]`. */
  tokens(pixels: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => {
      const { lastHiddenState, pooled } = this.forward(pixels);
      return tf.concat([tf.expandDims(pooled, 1) as tf.Tensor3D, lastHiddenState], 1);
    });
  }
}

/**
 * SigLIP's vision tower (transformers' `SiglipVisionModel`; weights under `vision_model.`). Its feature, pooled by attention,
 * lies in the space of texts without a projection.
 */
export class SiglipVisionModel extends PretrainedEncoder implements ImageEncoder {
  /** @internal */
  static readonly form: ModelForm = {
    architecture: "SiglipVisionModel",
    modelType: "siglip_vision_model",
    tower: { wholeType: "siglip", prefix: "vision_model." },
    companions: IMAGE_FILES,
    parse: ({ config, whole, how }) =>
      whole ? parseSiglipConfig(config, how).vision_config : parseSiglipVisionConfig(config, how),
  };
  readonly vision_model: SiglipVisionTransformer;
  readonly config: SiglipVisionConfig;
  /** @internal */
  readonly tower: Tower = new Tower("vision_model.");

  /**
   * A model without weights: call `initialize` or `loadStateDict`.
   *
   * @param config settings as in config.json; what is left out has transformers' defaults
   * @param options `acceptKeys`: unknown keys that may be ignored
   * @throws naming every setting that is not what it should be
   */
  constructor(config: Partial<SiglipVisionConfig>, options: ConfigOptions = {}) {
    super();
    this.config = parseSiglipVisionConfig(config, options);
    this.vision_model = new SiglipVisionTransformer(this.config);
  }

  /** The model of a folder without its weights, which says how large it is. Only `config.json` is read. */
  static fromConfig(folder: string, options?: PretrainedOptions): Promise<SiglipVisionModel> {
    return encoderOfConfig(SiglipVisionModel, folder, options);
  }

  /**
   * Reads a Hugging Face folder: config.json, model.safetensors (whole or in shards), and the files that travel with the model.
   * It may be that of a SiglipModel, whose vision tower is taken.
   *
   * @param folder a model's folder, or its id on the hub
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `acceptKeys`: unknown keys that may be ignored
   * @throws if a file or a weight is missing, or has another shape than the settings say
   */
  static fromPretrained(folder: string, options?: PretrainedOptions): Promise<SiglipVisionModel> {
    return encoderOfFolder(SiglipVisionModel, folder, options);
  }

  get imageSize(): number {
    return this.config.image_size;
  }

  get featureSize(): number {
    return this.config.hidden_size;
  }

  /**
   * @param pixels `[batch, image_size, image_size, channels]`, normalised as the image processor does
   * @returns every token's last hidden state, and the pooled one; the caller disposes both
   * @throws if pixels have another shape
   */
  forward(pixels: tf.Tensor4D): SiglipVisionOutput {
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
