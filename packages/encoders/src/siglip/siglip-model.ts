import {
  type ConfigOptions,
  type Linear,
  l2Normalize,
  Parameter,
  type PretrainedOptions,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { ImageTextEncoder } from "../encoder.js";
import { linearLayers } from "../linear-layers.js";
import { IMAGE_FILES, type ModelForm, TEXT_FILES } from "../model-folder.js";
import { encoderOfConfig, encoderOfFolder, PretrainedEncoder } from "../pretrained-encoder.js";
import { parseSiglipConfig, type SiglipConfig, type SiglipConfigInput } from "./siglip-config.js";
import { SiglipTextTransformer } from "./siglip-text-model.js";
import { SiglipVisionTransformer } from "./siglip-vision-model.js";

/**
 * SigLIP (Zhai et al. 2023, "Sigmoid loss for language image pre-training"): a vision and a text tower into one space, trained
 * pair by pair with a sigmoid; transformers' `SiglipModel`. SigLIP 2's models of fixed resolution are of this kind too.
 *
 * @example
 * const siglip = await SiglipModel.fromPretrained("google/siglip-so400m-patch14-384");
 * const z = siglip.encodeImage(processor.normalize(images)); // [batch, 1152]
 */
export class SiglipModel extends PretrainedEncoder implements ImageTextEncoder {
  /** @internal */
  static readonly form: ModelForm = {
    architecture: "SiglipModel",
    modelType: "siglip",
    companions: [...IMAGE_FILES, ...TEXT_FILES],
    parse: ({ config, how }) => parseSiglipConfig(config, how),
  };
  readonly config: SiglipConfig;
  readonly text_model: SiglipTextTransformer;
  readonly vision_model: SiglipVisionTransformer;
  /** The logarithm of the inverse temperature, `[1]`. */
  readonly logit_scale: Parameter;
  /** Added to every logit, `[1]`. */
  readonly logit_bias: Parameter;

  /**
   * A model without weights: call `initialize` or `loadStateDict`.
   *
   * @param config settings as in config.json; what is left out has transformers' defaults
   * @param options `acceptKeys`: unknown keys that may be ignored
   * @throws naming every setting that is not what it should be
   */
  constructor(config: SiglipConfigInput, options: ConfigOptions = {}) {
    super();
    this.config = parseSiglipConfig(config, options);
    this.text_model = new SiglipTextTransformer(this.config.text_config);
    this.vision_model = new SiglipVisionTransformer(this.config.vision_config);
    this.logit_scale = new Parameter([1]);
    this.logit_bias = new Parameter([1]);
  }

  /** The model of a folder without its weights, which says how large it is. Only `config.json` is read. */
  static fromConfig(folder: string, options?: PretrainedOptions): Promise<SiglipModel> {
    return encoderOfConfig(SiglipModel, folder, options);
  }

  /**
   * Reads a Hugging Face folder: config.json, model.safetensors (whole or in shards), and the files that travel with the model.
   *
   * @param folder a model's folder, for example a copy of `google/siglip-so400m-patch14-384`, or its id on the hub
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `acceptKeys`: unknown keys that may be ignored
   * @throws if a file or a weight is missing, or has another shape than the settings say
   */
  static fromPretrained(folder: string, options?: PretrainedOptions): Promise<SiglipModel> {
    return encoderOfFolder(SiglipModel, folder, options);
  }

  get imageSize(): number {
    return this.config.vision_config.image_size;
  }

  get featureSize(): number {
    return this.config.vision_config.hidden_size;
  }

  get contextLength(): number {
    return this.config.text_config.max_position_embeddings;
  }

  get vocabSize(): number {
    return this.config.text_config.vocab_size;
  }

  /** The image feature: all tokens pooled by attention, not L2-normalised (transformers' `get_image_features`). */
  encodeImage(pixels: tf.Tensor4D): tf.Tensor2D {
    return tf.tidy(() => this.vision_model.forward(pixels).pooled);
  }

  tokens(pixels: tf.Tensor4D): tf.Tensor3D {
    return this.vision_model.tokens(pixels);
  }

  imageLinearLayers(): Map<string, Linear> {
    return linearLayers(this.vision_model, "vision_model.");
  }

  /**
   * The text feature: the last token's state, not L2-normalised (`get_text_features`).
   *
   * @param inputIds int32 `[batch, tokens]`, padded to `contextLength` as in training
   */
  encodeText(inputIds: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => this.text_model.forward(inputIds).pooled);
  }

  /** Cosine similarities times the scale, plus the bias; their sigmoid is the probability of a pair (Zhai et al. 2023, algorithm 1). */
  logitsPerImage(imageFeatures: tf.Tensor2D, textFeatures: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const cosines = tf.matMul(l2Normalize(imageFeatures), l2Normalize(textFeatures), false, true);
      return tf.add(tf.mul(cosines, tf.exp(this.logit_scale.value)), this.logit_bias.value);
    });
  }
}
