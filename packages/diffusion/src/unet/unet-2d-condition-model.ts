import {
  Conv2d,
  checkPretrainedOptions,
  GroupNorm,
  loadWeights,
  Module,
  type PretrainedOptions,
  readModelJson,
  type SavePretrainedOptions,
  saveModelFolder,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { Condition } from "./attention.js";
import { DownBlock, type LevelTransformer, MidBlock, UpBlock } from "./blocks.js";
import { TimestepEmbedding, timestepEmbedding } from "./time-embedding.js";
import {
  parseUNetConfig,
  type UNet2DConditionConfig,
  type UNet2DConditionConfigInput,
} from "./unet-config.js";

/**
 * The denoiser's state where the condition first comes in: a function of the noisy sample and the timestep alone,
 * so that it is computed once for each image and serves every condition. Tensors of a batch of rows.
 */
export interface UNetPrefix {
  /** Time embedding. */
  time: tf.Tensor2D;
  /** Outputs of the levels before, for the skip connections. */
  skips: tf.Tensor4D[];
  /** Input of the first cross-attention. */
  tokens: tf.Tensor3D;
  /** What that transformer's result is added to. */
  residual: tf.Tensor4D;
}

/** Picks rows of a prefix, with repeats: one row for each (image, condition) pair. The caller disposes the result. */
export function gatherPrefix(prefix: UNetPrefix, rows: tf.Tensor1D): UNetPrefix {
  const pick = <T extends tf.Tensor>(x: T) => tf.gather(x, rows) as T;
  return tf.tidy(() => ({
    time: pick(prefix.time),
    skips: prefix.skips.map(pick),
    tokens: pick(prefix.tokens),
    residual: pick(prefix.residual),
  })) as UNetPrefix;
}

/** Stable Diffusion's denoiser, with diffusers' configuration and weight names. Images are NHWC. */
export class UNet2DConditionModel extends Module {
  readonly config: UNet2DConditionConfig;
  readonly conv_in: Conv2d;
  readonly time_embedding: TimestepEmbedding;
  readonly down_blocks: DownBlock[];
  readonly mid_block: MidBlock;
  readonly up_blocks: UpBlock[];
  readonly conv_norm_out: GroupNorm;
  readonly conv_out: Conv2d;

  /** @throws when a field of the configuration is unknown to us or out of range. */
  constructor(config: UNet2DConditionConfigInput) {
    super();
    const parsed = parseUNetConfig(config);
    this.config = parsed;
    const { block_out_channels: widths, layers_per_block: layers, norm_num_groups: groups } = parsed;
    const levels = widths.length;
    const timeChannels = widths[0] * 4;
    const resnet = { groups, epsilon: parsed.norm_eps, timeChannels };
    const headCounts = parsed.num_attention_heads ?? parsed.attention_head_dim;
    const transformer = (level: number): LevelTransformer => ({
      crossAttentionDim: parsed.cross_attention_dim,
      heads: typeof headCounts === "number" ? headCounts : headCounts[level],
      layers: parsed.transformer_layers_per_block,
      groups,
      linearProjection: parsed.use_linear_projection,
    });

    this.conv_in = new Conv2d(parsed.in_channels, widths[0], 3, { padding: 1 });
    this.time_embedding = new TimestepEmbedding(widths[0], timeChannels);
    this.down_blocks = parsed.down_block_types.map(
      (type, level) =>
        new DownBlock(widths[Math.max(0, level - 1)], widths[level], {
          layers,
          resnet,
          transformer: type === "CrossAttnDownBlock2D" ? transformer(level) : undefined,
          downsample: level < levels - 1,
        }),
    );
    this.mid_block = new MidBlock(widths[levels - 1], resnet, transformer(levels - 1));

    const skipWidths = [widths[0]];
    for (const [level, width] of widths.entries()) {
      for (let i = 0; i < layers + (level < levels - 1 ? 1 : 0); i++) skipWidths.push(width);
    }
    this.up_blocks = parsed.up_block_types.map((type, i) => {
      const level = levels - 1 - i;
      const taken = Array.from({ length: layers + 1 }, () => skipWidths.pop()!);
      return new UpBlock(widths[Math.min(levels - 1, level + 1)], widths[level], taken, {
        resnet,
        transformer: type === "CrossAttnUpBlock2D" ? transformer(level) : undefined,
        upsample: level > 0,
      });
    });
    this.conv_norm_out = new GroupNorm(groups, widths[0], { epsilon: parsed.norm_eps });
    this.conv_out = new Conv2d(widths[0], parsed.out_channels, 3, { padding: 1 });
  }

  /**
   * Reads `config.json` and `diffusion_pytorch_model.safetensors` of a diffusers folder's `unet`.
   *
   * @param options `storage`: `"float16"` for frozen weights in half the memory
   */
  static async fromPretrained(
    folder: string,
    options: PretrainedOptions = {},
  ): Promise<UNet2DConditionModel> {
    const how = checkPretrainedOptions("UNet2DConditionModel.fromPretrained", options);
    const config = await readModelJson(folder, "config.json", "UNet2DConditionModel");
    const model = new UNet2DConditionModel(config as UNet2DConditionConfigInput);
    return loadWeights(model, folder, { ...how, baseName: "diffusion_pytorch_model" });
  }

  /** Writes the folder that `fromPretrained`, and diffusers, read. */
  async savePretrained(folder: string, options: SavePretrainedOptions = {}): Promise<void> {
    await saveModelFolder(this, folder, {
      ...options,
      baseName: "diffusion_pytorch_model",
      config: { _class_name: "UNet2DConditionModel", ...this.config },
      like: new UNet2DConditionModel(this.config),
    });
  }

  /**
   * The predicted noise (or velocity, or sample, as the scheduler's prediction type says).
   *
   * @param sample `[batch, height, width, in_channels]`; any height and width.
   * @param timesteps `[batch]`.
   * @returns `[batch, height, width, out_channels]`; the caller disposes it.
   */
  forward(sample: tf.Tensor4D, timesteps: tf.Tensor1D, condition: Condition): tf.Tensor4D {
    return tf.tidy(() => this.suffix(this.prefix(sample, timesteps), condition));
  }

  /** Everything before the first cross-attention; the caller disposes the tensors. */
  prefix(sample: tf.Tensor4D, timesteps: tf.Tensor1D): UNetPrefix {
    const { in_channels, block_out_channels, flip_sin_to_cos, freq_shift } = this.config;
    if (sample.rank !== 4 || sample.shape[3] !== in_channels) {
      throw new Error(
        `UNet2DConditionModel: sample must be [batch, height, width, ${in_channels}], got [${sample.shape}]`,
      );
    }
    if (timesteps.rank !== 1 || timesteps.shape[0] !== sample.shape[0]) {
      throw new Error(
        `UNet2DConditionModel: timesteps must be [${sample.shape[0]}], one for each sample, got [${timesteps.shape}]`,
      );
    }
    return tf.tidy(() => {
      const sinusoids = timestepEmbedding(timesteps, block_out_channels[0], {
        flipSinToCos: flip_sin_to_cos,
        freqShift: freq_shift,
      });
      const time = this.time_embedding.forward(sinusoids);
      const skips = [this.conv_in.forward(sample)];
      for (const block of this.down_blocks.slice(0, this.firstCrossLevel)) {
        skips.push(...block.forward({ x: skips[skips.length - 1] }, time));
      }
      const first = this.down_blocks[this.firstCrossLevel];
      const { tokens, residual } = first.enter(skips[skips.length - 1], time);
      return { time, skips, tokens, residual };
    }) as unknown as UNetPrefix;
  }

  /** Everything from the first cross-attention on; the prefix stays the caller's. */
  suffix(prefix: UNetPrefix, condition: Condition): tf.Tensor4D {
    const { encoderHiddenStates: states, additive } = condition;
    const batch = prefix.time.shape[0];
    const width = this.config.cross_attention_dim;
    if (
      states.rank !== 3 ||
      states.shape[2] !== width ||
      (states.shape[0] !== batch && states.shape[0] !== 1)
    ) {
      throw new Error(
        `UNet2DConditionModel: encoderHiddenStates must be [${batch} or 1, tokens, ${width}], got [${states.shape}]`,
      );
    }
    if (additive && (additive.shape[0] !== batch || additive.shape[1] !== width)) {
      throw new Error(`UNet2DConditionModel: additive must be [${batch}, ${width}], got [${additive.shape}]`);
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
      let hidden = this.mid_block.forward(skips[skips.length - 1], time, condition);
      for (const block of this.up_blocks) hidden = block.forward(hidden, skips, time, condition);
      return this.conv_out.forward(this.conv_norm_out.forward(hidden, "silu"));
    });
  }

  private get firstCrossLevel(): number {
    const level = this.config.down_block_types.indexOf("CrossAttnDownBlock2D");
    if (level < 0) {
      throw new Error("UNet2DConditionModel: prefix needs a CrossAttnDownBlock2D in down_block_types");
    }
    return level;
  }
}
