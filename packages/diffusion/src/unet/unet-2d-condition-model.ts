import {
  type ConfigOptions,
  Conv2d,
  GroupNorm,
  Module,
  type PretrainedOptions,
  type SavePretrainedOptions,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import {
  createDiffusersModel,
  loadDiffusersModel,
  type ModelClass,
  saveDiffusersModel,
} from "../model-folder.js";
import type { ResnetOptions } from "../resnet.js";
import { checkOptions } from "../shared/check-options.js";
import { activate } from "./activation.js";
import { type AddedConditions, embedAddedConditions } from "./added-conditions.js";
import type { Condition } from "./attention.js";
import { DownBlock, type LevelTransformer, MidBlock, UpBlock } from "./blocks.js";
import { type ClassEmbedding, createClassEmbedding, embedClass } from "./class-embedding.js";
import { TimestepEmbedding, timestepEmbedding } from "./time-embedding.js";
import {
  parseUNetConfig,
  type UNet2DConditionConfig,
  type UNet2DConditionConfigInput,
  type UNetLevel,
  unetLevels,
} from "./unet-config.js";

/**
 * The denoiser's state where the condition first comes in. It depends on the noisy sample and the timestep only, so it is
 * computed once for each image and serves every condition. The tensors have a row for each image.
 */
export interface UNetPrefix {
  /** Time embedding. */
  time: tf.Tensor2D;
  /** Outputs of the levels before, for the skip connections. */
  skips: tf.Tensor4D[];
  /** Tokens that meet the condition first. */
  tokens: tf.Tensor3D;
  /** The image that the first transformer's result is added to. */
  residual: tf.Tensor4D;
}

/** Inputs that some denoisers take besides the noisy sample, the timestep and the condition. */
export interface UNetInputs {
  /** For a model with classes: indices `[batch or 1]`, int32, or vectors `[batch or 1, dim]`, as `class_embed_type` says. */
  classLabels?: tf.Tensor1D | tf.Tensor2D;
  /** For SDXL's denoiser. */
  addedConditions?: AddedConditions;
}

/** Picks rows of a prefix, with repeats: one row for each (image, condition) pair. The caller disposes the result. */
export function gatherPrefix(prefix: UNetPrefix, rows: tf.Tensor1D): UNetPrefix {
  if (rows.rank !== 1 || rows.dtype !== "int32") {
    throw new Error(`gatherPrefix: rows must be [pairs] of int32, got [${rows.shape}] of ${rows.dtype}`);
  }
  const pick = <T extends tf.Tensor>(x: T) => tf.gather(x, rows) as T;
  return tf.tidy(() => ({
    time: pick(prefix.time),
    skips: prefix.skips.map(pick),
    tokens: pick(prefix.tokens),
    residual: pick(prefix.residual),
  })) as UNetPrefix;
}

/**
 * Stable Diffusion's denoiser, with diffusers' configuration and weight names. Images are NHWC.
 * `enableGradientCheckpointing()` makes the backward pass hold one tensor for each resnet and transformer.
 */
export class UNet2DConditionModel extends Module {
  readonly config: UNet2DConditionConfig;
  readonly conv_in: Conv2d;
  readonly time_embedding: TimestepEmbedding;
  readonly class_embedding?: ClassEmbedding;
  readonly add_embedding?: TimestepEmbedding;
  readonly down_blocks: DownBlock[];
  readonly mid_block?: MidBlock;
  readonly up_blocks: UpBlock[];
  readonly conv_norm_out: GroupNorm;
  readonly conv_out: Conv2d;

  private readonly timeChannels: number;

  /**
   * @param options `acceptKeys`: unknown keys of the configuration that may be ignored, by name
   * @throws naming every key of the configuration that is unknown, unsupported or out of range
   */
  constructor(config: UNet2DConditionConfigInput, options: ConfigOptions = {}) {
    super();
    const parsed = parseUNetConfig(config, options);
    this.config = parsed;
    const levels = unetLevels(parsed);
    const [first, last] = [levels[0], levels[levels.length - 1]];
    const groups = parsed.norm_num_groups;
    this.timeChannels = parsed.time_embedding_dim ?? 4 * first.channels;
    const resnet: ResnetOptions = {
      groups,
      epsilon: parsed.norm_eps,
      timeChannels: this.timeChannels,
      timeScaleShift: parsed.resnet_time_scale_shift,
    };
    const transformer = ({ heads, transformerLayers, onlyCrossAttention }: UNetLevel): LevelTransformer => ({
      crossAttentionDim: parsed.cross_attention_dim,
      heads,
      layers: transformerLayers,
      groups,
      onlyCrossAttention,
      linearProjection: parsed.use_linear_projection,
    });
    const convolution = (inChannels: number, outChannels: number, kernelSize: number) =>
      new Conv2d(inChannels, outChannels, kernelSize, { padding: (kernelSize - 1) / 2 });

    this.conv_in = convolution(parsed.in_channels, first.channels, parsed.conv_in_kernel);
    this.time_embedding = new TimestepEmbedding(first.channels, this.timeChannels, {
      postAct: parsed.timestep_post_act,
    });
    this.class_embedding = createClassEmbedding(parsed, this.timeChannels);
    if (parsed.addition_embed_type === "text_time") {
      const inputDim = parsed.projection_class_embeddings_input_dim!;
      this.add_embedding = new TimestepEmbedding(inputDim, this.timeChannels);
    }
    this.down_blocks = levels.map(
      (level, i) =>
        new DownBlock(levels[Math.max(0, i - 1)].channels, level.channels, {
          layers: level.layers,
          resnet,
          transformer: parsed.down_block_types[i] === "CrossAttnDownBlock2D" ? transformer(level) : undefined,
          downsample: level !== last,
        }),
    );
    if (parsed.mid_block_type !== null) {
      // diffusers' middle block keeps its self-attention under only_cross_attention.
      this.mid_block = new MidBlock(last.channels, resnet, {
        ...transformer(last),
        onlyCrossAttention: false,
      });
    }

    const skipWidths = [first.channels];
    for (const level of levels) {
      const outputs = level.layers + (level === last ? 0 : 1);
      skipWidths.push(...Array.from({ length: outputs }, () => level.channels));
    }
    this.up_blocks = parsed.up_block_types.map((type, i) => {
      const index = levels.length - 1 - i;
      const level = levels[index];
      const taken = Array.from({ length: level.layers + 1 }, () => skipWidths.pop()!);
      return new UpBlock((levels[index + 1] ?? last).channels, level.channels, taken, {
        resnet,
        transformer: type === "CrossAttnUpBlock2D" ? transformer(level) : undefined,
        upsample: index > 0,
      });
    });
    this.conv_norm_out = new GroupNorm(groups, first.channels, { epsilon: parsed.norm_eps });
    this.conv_out = convolution(first.channels, parsed.out_channels, parsed.conv_out_kernel);
  }

  /**
   * The model of a diffusers folder's `unet` without its weights, which says how large it is. Only `config.json` is read.
   *
   * @param options `acceptKeys`: unknown keys of the configuration that may be ignored, by name
   */
  static async fromConfig(
    folder: string,
    options: Pick<PretrainedOptions, "acceptKeys"> = {},
  ): Promise<UNet2DConditionModel> {
    const caller = "UNet2DConditionModel.fromConfig";
    return createDiffusersModel(folder, form, {
      caller,
      ...checkOptions(caller, options, { acceptKeys: true }),
    });
  }

  /**
   * Reads `config.json` and `diffusion_pytorch_model.safetensors` of a diffusers folder's `unet`.
   *
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `variant`: `"fp16"` for files of that variant; `acceptKeys`: unknown keys of the configuration
   *   that may be ignored, by name
   */
  static fromPretrained(folder: string, options: PretrainedOptions = {}): Promise<UNet2DConditionModel> {
    return loadDiffusersModel(folder, form, options);
  }

  /**
   * Writes the folder that `fromPretrained`, and diffusers, read.
   * @throws while LoRA adapters are in place; nothing is written then
   */
  async savePretrained(folder: string, options?: SavePretrainedOptions): Promise<void> {
    await saveDiffusersModel(this, folder, { ...form, options });
  }

  /**
   * The predicted noise, or the velocity, or the sample, as the scheduler's prediction type says.
   *
   * @param sample `[batch, height, width, in_channels]`, float32; any height and width.
   * @param timesteps `[batch]`.
   * @param condition the condition, and other inputs of the model.
   * @returns `[batch, height, width, out_channels]`; the caller disposes it.
   * @throws where a shape does not fit, and where the model needs an input that is missing or does not know one that is given
   */
  forward(sample: tf.Tensor4D, timesteps: tf.Tensor1D, condition: Condition & UNetInputs): tf.Tensor4D {
    const { classLabels, addedConditions, ...rest } = condition;
    return tf.tidy(() => this.suffix(this.prefix(sample, timesteps, { classLabels, addedConditions }), rest));
  }

  /** Everything before the first use of the condition; the caller disposes the tensors. Parameters as of `forward`. */
  prefix(sample: tf.Tensor4D, timesteps: tf.Tensor1D, inputs: UNetInputs = {}): UNetPrefix {
    const { in_channels } = this.config;
    const known = checkOptions("UNet2DConditionModel", inputs, { classLabels: true, addedConditions: true });
    if (
      sample.rank !== 4 ||
      sample.size === 0 ||
      sample.shape[3] !== in_channels ||
      sample.dtype !== "float32"
    ) {
      throw new Error(
        `UNet2DConditionModel: sample must be [batch, height, width, ${in_channels}] of float32, got [${sample.shape}] of ${sample.dtype}`,
      );
    }
    if (timesteps.rank !== 1 || timesteps.shape[0] !== sample.shape[0]) {
      throw new Error(
        `UNet2DConditionModel: timesteps must be [${sample.shape[0]}], one for each sample, got [${timesteps.shape}]`,
      );
    }
    return tf.tidy(() => {
      const time = this.embedTime(timesteps, known);
      const skips = [this.conv_in.forward(sample)];
      for (const block of this.down_blocks.slice(0, this.firstCrossLevel)) {
        skips.push(...block.forward({ x: skips[skips.length - 1] }, time));
      }
      const first = this.down_blocks[this.firstCrossLevel];
      const { tokens, residual } = first.enter(skips[skips.length - 1], time);
      return { time, skips, tokens, residual };
    }) as unknown as UNetPrefix;
  }

  /** Everything from the first use of the condition on; the prefix stays the caller's. */
  suffix(prefix: UNetPrefix, condition: Condition): tf.Tensor4D {
    const { encoderHiddenStates: states, additive } = checkOptions("UNet2DConditionModel", condition, {
      encoderHiddenStates: true,
      additive: true,
    });
    const batch = prefix.time.shape[0];
    const width = this.config.cross_attention_dim;
    if (
      states?.rank !== 3 ||
      states.size === 0 ||
      states.shape[2] !== width ||
      (states.shape[0] !== batch && states.shape[0] !== 1) ||
      states.dtype !== "float32"
    ) {
      throw new Error(
        `UNet2DConditionModel: encoderHiddenStates must be [${batch} or 1, tokens, ${width}] of float32, got [${states?.shape}] of ${states?.dtype}`,
      );
    }
    if (
      additive &&
      (additive.rank !== 2 ||
        additive.shape[0] !== batch ||
        additive.shape[1] !== width ||
        additive.dtype !== "float32")
    ) {
      throw new Error(
        `UNet2DConditionModel: additive must be [${batch}, ${width}] of float32, got [${additive.shape}] of ${additive.dtype}`,
      );
    }
    return tf.tidy(() => {
      const { time, tokens, residual } = prefix;
      const skips = [...prefix.skips];
      for (const [level, block] of this.down_blocks.entries()) {
        if (level < this.firstCrossLevel) continue;
        const start =
          level === this.firstCrossLevel ? { entered: { tokens, residual } } : { x: skips[skips.length - 1] };
        skips.push(...block.forward(start, time, condition));
      }
      const lowest = skips[skips.length - 1];
      let hidden = this.mid_block ? this.mid_block.forward(lowest, time, condition) : lowest;
      for (const block of this.up_blocks) hidden = block.forward(hidden, skips, time, condition);
      return this.conv_out.forward(this.conv_norm_out.forward(hidden, "silu"));
    });
  }

  /** The vector that every resnet takes: of the timestep, the class and the added conditions. */
  private embedTime(timesteps: tf.Tensor1D, { classLabels, addedConditions }: UNetInputs): tf.Tensor2D {
    const { config, timeChannels } = this;
    const batch = timesteps.shape[0];
    const sinusoids = timestepEmbedding(timesteps, config.block_out_channels[0], {
      flipSinToCos: config.flip_sin_to_cos,
      freqShift: config.freq_shift,
    });
    let time = this.time_embedding.forward(sinusoids);
    for (const vector of [
      embedClass(config, classLabels, { batch, timeChannels, embedding: this.class_embedding }),
      embedAddedConditions(config, addedConditions, { batch, embedding: this.add_embedding }),
    ]) {
      if (vector) time = tf.add(time, vector) as tf.Tensor2D;
    }
    return config.time_embedding_act_fn ? activate(config.time_embedding_act_fn, time) : time;
  }

  private get firstCrossLevel(): number {
    return this.config.down_block_types.indexOf("CrossAttnDownBlock2D");
  }
}

const form: ModelClass<UNet2DConditionModel> = {
  name: "UNet2DConditionModel",
  create: (config, options) => new UNet2DConditionModel(config, options),
};
