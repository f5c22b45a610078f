import {
  type ConfigFormat,
  type ConfigOptions,
  choice,
  layerCount,
  levels,
  parseConfig,
  valueOrEqualList,
  vocabularySize,
  width,
} from "@dcr-js/tensor";
import { z } from "zod";
import { activationNames } from "./activation.js";

/** A setting of all levels, or a list with one for each. */
const byLevel = <T extends z.ZodType>(entry: T) => z.union([entry, levels(entry)]);
const activation = choice(activationNames, { swish: "silu" });
// An even kernel would change the image's size.
const kernelSize = z
  .int()
  .min(1)
  .max(31)
  .refine((size) => size % 2 === 1, "expected an odd number");

const schema = z
  .object({
    in_channels: width.default(4),
    out_channels: width.default(4),
    down_block_types: levels(z.enum(["CrossAttnDownBlock2D", "DownBlock2D"])).default([
      "CrossAttnDownBlock2D",
      "CrossAttnDownBlock2D",
      "CrossAttnDownBlock2D",
      "DownBlock2D",
    ]),
    up_block_types: levels(z.enum(["CrossAttnUpBlock2D", "UpBlock2D"])).default([
      "UpBlock2D",
      "CrossAttnUpBlock2D",
      "CrossAttnUpBlock2D",
      "CrossAttnUpBlock2D",
    ]),
    mid_block_type: z.literal("UNetMidBlock2DCrossAttn").nullable().default("UNetMidBlock2DCrossAttn"),
    block_out_channels: levels(width).default([320, 640, 1280, 1280]),
    layers_per_block: byLevel(layerCount).default(2),
    cross_attention_dim: valueOrEqualList(width).default(1280),
    // diffusers' name has a history: this is the number of heads, not their width.
    attention_head_dim: byLevel(layerCount).default(8),
    transformer_layers_per_block: byLevel(layerCount).default(1),
    only_cross_attention: byLevel(z.boolean()).default(false),
    use_linear_projection: z.boolean().default(false),
    norm_num_groups: width.default(32),
    norm_eps: z.number().positive().default(1e-5),
    act_fn: choice(["silu"], { swish: "silu" }).default("silu"),
    resnet_time_scale_shift: z.enum(["default", "scale_shift"]).default("default"),
    flip_sin_to_cos: z.boolean().default(true),
    freq_shift: z.number().default(0),
    time_embedding_dim: width.nullish(),
    time_embedding_act_fn: activation.nullish(),
    timestep_post_act: activation.nullish(),
    conv_in_kernel: kernelSize.default(3),
    conv_out_kernel: kernelSize.default(3),
    class_embed_type: z.enum(["timestep", "identity", "projection", "simple_projection"]).nullish(),
    num_class_embeds: vocabularySize.nullish(),
    addition_embed_type: z.literal("text_time").nullish(),
    addition_time_embed_dim: width.nullish(),
    projection_class_embeddings_input_dim: width.nullish(),
  })
  .check((context) => {
    for (const message of contradictions(context.value)) {
      context.issues.push({ code: "custom", message, input: context.value });
    }
  });

const harmless = [
  "sample_size",
  // Attention is computed in float32.
  "upcast_attention",
  // Read by `addition_embed_type: "text"` only, which is not supported.
  "addition_embed_type_num_heads",
  // Written by diffusers' `EMAModel`: how the saved weights were averaged.
  "decay",
  "inv_gamma",
  "min_decay",
  "optimization_step",
  "power",
  "update_after_step",
  "use_ema_warmup",
];

const neutral = {
  attention_type: ["default"],
  center_input_sample: [false],
  class_embeddings_concat: [false],
  cross_attention_norm: [null],
  downsample_padding: [1],
  dropout: [0],
  dual_cross_attention: [false],
  encoder_hid_dim: [null],
  encoder_hid_dim_type: [null],
  mid_block_only_cross_attention: [null, false],
  mid_block_scale_factor: [1],
  num_attention_heads: [null],
  resnet_out_scale_factor: [1],
  resnet_skip_time_act: [false],
  reverse_transformer_layers_per_block: [null],
  time_cond_proj_dim: [null],
  time_embedding_type: ["positional"],
};

const format = { name: "UNet2DConditionModel", schema, harmless, neutral } satisfies ConfigFormat<
  typeof schema
>;

/** Keys that do not change the result are kept as they came. */
type OtherKeys = { [key: string]: unknown };
/** Settings of a denoiser; names and defaults of diffusers' `UNet2DConditionModel`. */
export type UNet2DConditionConfig = z.output<typeof schema> & OtherKeys;
/** Settings as a user may give them: absent ones have diffusers' defaults. */
export type UNet2DConditionConfigInput = z.input<typeof schema> & OtherKeys;

/**
 * Checks a configuration and fills in defaults.
 *
 * @throws naming every key that is unknown, unsupported, out of range, or that contradicts another
 */
export function parseUNetConfig(config: unknown, options?: ConfigOptions): UNet2DConditionConfig {
  return parseConfig(format, config, options);
}

/** The settings of one level of the U, from the largest images to the smallest. */
export interface UNetLevel {
  channels: number;
  /** Resnets on the way down; the way up has one more. */
  layers: number;
  heads: number;
  transformerLayers: number;
  onlyCrossAttention: boolean;
}

/** A configuration's settings level by level. */
export function unetLevels(config: UNet2DConditionConfig): UNetLevel[] {
  const at = <T>(setting: T | T[], level: number): T => (Array.isArray(setting) ? setting[level] : setting);
  return config.block_out_channels.map((channels, level) => ({
    channels,
    layers: at(config.layers_per_block, level),
    heads: at(config.attention_head_dim, level),
    transformerLayers: at(config.transformer_layers_per_block, level),
    onlyCrossAttention: at(config.only_cross_attention, level),
  }));
}

/** The largest published model has some 70. */
const MOST_TRANSFORMER_LAYERS = 8192;

/** Rules between keys that a configuration breaks. */
function contradictions(config: UNet2DConditionConfig): string[] {
  const count = config.block_out_channels.length;
  const problems: string[] = [];
  for (const name of [
    "down_block_types",
    "up_block_types",
    "layers_per_block",
    "attention_head_dim",
    "transformer_layers_per_block",
    "only_cross_attention",
  ] as const) {
    const value = config[name];
    if (Array.isArray(value) && value.length !== count) {
      problems.push(`${name} must have ${count} entries, as block_out_channels has, got ${value.length}`);
    }
  }
  if (problems.length > 0) return problems;

  if (!config.down_block_types.includes("CrossAttnDownBlock2D")) {
    problems.push("down_block_types must have a CrossAttnDownBlock2D");
  }
  const transformerLayers = unetLevels(config).reduce(
    (sum, { layers, transformerLayers }) => sum + (2 * layers + 1) * transformerLayers,
    0,
  );
  if (transformerLayers > MOST_TRANSFORMER_LAYERS) {
    problems.push(
      `layers_per_block and transformer_layers_per_block must make at most ${MOST_TRANSFORMER_LAYERS} transformer layers, got ${transformerLayers}`,
    );
  }
  const { norm_num_groups: groups, freq_shift: shift } = config;
  for (const [level, { channels, heads }] of unetLevels(config).entries()) {
    const name = `block_out_channels.${level}`;
    if (channels % groups !== 0) {
      problems.push(`${name} must be a multiple of norm_num_groups, got ${channels} and ${groups}`);
    }
    const attends =
      config.down_block_types[level] === "CrossAttnDownBlock2D" ||
      config.up_block_types[count - 1 - level] === "CrossAttnUpBlock2D" ||
      (level === count - 1 && config.mid_block_type !== null);
    if (attends && channels % heads !== 0) {
      problems.push(
        `${name} must be a multiple of its attention_head_dim (heads), got ${channels} and ${heads}`,
      );
    }
  }
  const sinusoids: [string, number | null | undefined][] = [
    ["block_out_channels.0", config.block_out_channels[0]],
  ];
  if (config.addition_embed_type) sinusoids.push(["addition_time_embed_dim", config.addition_time_embed_dim]);
  for (const [name, dim] of sinusoids) {
    if (dim == null) continue;
    if (dim % 2 !== 0) problems.push(`${name} must be even, got ${dim}`);
    else if (shift >= dim / 2)
      problems.push(`freq_shift must be less than half of ${name}, got ${shift} and ${dim}`);
  }

  const { class_embed_type: classType, addition_embed_type: addition } = config;
  const needs = (
    name: "projection_class_embeddings_input_dim" | "addition_time_embed_dim",
    reason: string,
  ) => {
    if (config[name] == null) problems.push(`${name} is needed by ${reason}, but it is missing`);
  };
  if (classType === "projection" || classType === "simple_projection") {
    needs("projection_class_embeddings_input_dim", `class_embed_type "${classType}"`);
  }
  if (addition) {
    needs("projection_class_embeddings_input_dim", `addition_embed_type "${addition}"`);
    needs("addition_time_embed_dim", `addition_embed_type "${addition}"`);
  }
  if (classType && config.num_class_embeds != null) {
    problems.push(
      `num_class_embeds must be null where class_embed_type is "${classType}", got ${config.num_class_embeds}`,
    );
  }
  return problems;
}
