import {
  Conv2d,
  Embedding,
  LayerNorm,
  loadPretrained,
  Module,
  Parameter,
  type PretrainedOptions,
  type ReadOptions,
  readModelJson,
  readModelWeights,
  writeModelFolder,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { type CLIPVisionConfig, parseCLIPVisionConfig } from "./clip-config.js";
import { CLIPEncoder, initializeNormal, normalInitializer } from "./clip-encoder.js";

/** What a CLIP vision tower gives; the caller disposes both. */
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
  private readonly grid: number;

  constructor(private readonly config: CLIPVisionConfig) {
    super();
    const { hidden_size: width, patch_size: patch, image_size: size, num_channels: channels } = config;
    this.grid = Math.floor(size / patch);
    this.class_embedding = new Parameter([width], { init: normalInitializer(width ** -0.5) });
    this.patch_embedding = new Conv2d(channels, width, patch, { stride: patch, bias: false });
    this.position_embedding = new Embedding(this.grid ** 2 + 1, width);
    initializeNormal(this.patch_embedding, 0.02);
    initializeNormal(this.position_embedding, 0.02);
  }

  /** @param pixels `[batch, image_size, image_size, channels]`. @returns `[batch, 1 + patches, width]`. */
  forward(pixels: tf.Tensor4D): tf.Tensor3D {
    const { hidden_size: width, patch_size: patch, image_size: size, num_channels: channels } = this.config;
    const { grid } = this;
    const [batch] = pixels.shape;
    if (String(pixels.shape) !== String([batch, size, size, channels])) {
      throw new Error(
        `CLIPVisionModel: pixels must be [batch, ${size}, ${size}, ${channels}] (normalised, channels last), ` +
          `got [${pixels.shape}]`,
      );
    }
    return tf.tidy(() => {
      const used = grid * patch;
      const covered = used === size ? pixels : tf.slice(pixels, [0, 0, 0, 0], [batch, used, used, channels]);
      // A convolution whose stride is its kernel is one matrix product over the patches.
      const rows = tf.reshape(covered, [batch, grid, patch, grid, patch * channels]);
      const patches = tf.reshape(tf.transpose(rows, [0, 1, 3, 2, 4]), [
        batch * grid * grid,
        patch * patch * channels,
      ]) as tf.Tensor2D;
      const kernel = tf.reshape(this.patch_embedding.weight.value, [patch * patch * channels, width]);
      const embedded = tf.reshape(tf.matMul(patches, kernel), [batch, grid * grid, width]);
      const classTokens = tf.tile(tf.reshape(this.class_embedding.value, [1, 1, width]), [batch, 1, 1]);
      return tf.add(tf.concat([classTokens, embedded], 1), this.position_embedding.weight.value);
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
}

/** CLIP's vision tower alone (transformers' `CLIPVisionModel`; weights under `vision_model.`). */
export class CLIPVisionModel extends Module {
  readonly vision_model: CLIPVisionTransformer;
  readonly config: CLIPVisionConfig;

  /**
   * A model without weights: call `initialize` or `loadStateDict`.
   *
   * @param config settings as in config.json; what is left out has transformers' defaults
   */
  constructor(config: Partial<CLIPVisionConfig>) {
    super();
    this.config = parseCLIPVisionConfig(config);
    this.vision_model = new CLIPVisionTransformer(this.config);
  }

  /**
   * Reads a folder with config.json and model.safetensors (whole or in shards). The folder of a whole CLIPModel
   * will do as well: its vision tower is taken.
   *
   * @param options `storage`: `"float16"` for frozen weights in half the memory
   * @throws if a file or a weight is missing, or has another shape than the settings say
   */
  static async fromPretrained(folder: string, options: PretrainedOptions = {}): Promise<CLIPVisionModel> {
    const config = await readModelJson(folder, "config.json", "CLIPVisionModel.fromPretrained");
    const model = new CLIPVisionModel(
      (config["vision_config"] as Partial<CLIPVisionConfig> | undefined) ?? config,
    );
    const read = (how: ReadOptions) => readModelWeights(folder, how);
    return loadPretrained(model, read, options, (weights) => {
      // transformers 5 writes the tower's weights without the prefix.
      const prefixed = Object.keys(weights).some((name) => name.startsWith("vision_model."));
      model.vision_model.loadStateDict(weights, { prefix: prefixed ? "vision_model." : "" });
    });
  }

  /** See {@link CLIPVisionTransformer.forward}. */
  forward(pixels: tf.Tensor4D): CLIPVisionOutput {
    return this.vision_model.forward(pixels);
  }

  /**
   * Writes config.json and model.safetensors, as transformers reads them; every file atomically.
   *
   * @param folder made if it is missing
   * @param options dtype: how the weights are stored, default F32
   */
  async savePretrained(folder: string, options: { dtype?: "F32" | "F16" } = {}): Promise<void> {
    const config = { architectures: ["CLIPVisionModel"], model_type: "clip_vision_model", ...this.config };
    await writeModelFolder(folder, this.stateDict(), config, options);
  }
}
