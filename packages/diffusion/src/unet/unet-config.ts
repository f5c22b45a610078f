import { parseConfig } from "@dcr-js/tensor";
import { z } from "zod";

const positive = z.int().positive();

const schema = z.looseObject({
  sample_size: positive.nullish(),
  in_channels: positive.default(4),
  out_channels: positive.default(4),
  down_block_types: z.array(z.enum(["CrossAttnDownBlock2D", "DownBlock2D"])).nonempty(),
  up_block_types: z.array(z.enum(["CrossAttnUpBlock2D", "UpBlock2D"])).nonempty(),
  mid_block_type: z.literal("UNetMidBlock2DCrossAttn").default("UNetMidBlock2DCrossAttn"),
  block_out_channels: z.array(positive).nonempty(),
  layers_per_block: positive.default(2),
  cross_attention_dim: positive.default(1280),
  // diffusers' historical name: for these models it is the number of heads.
  attention_head_dim: z.union([positive, z.array(positive)]).default(8),
  num_attention_heads: z.union([positive, z.array(positive)]).nullish(),
  transformer_layers_per_block: positive.default(1),
  use_linear_projection: z.boolean().default(false),
  norm_num_groups: positive.default(32),
  norm_eps: z.number().positive().default(1e-5),
  act_fn: z.literal("silu").default("silu"),
  flip_sin_to_cos: z.boolean().default(true),
  freq_shift: z.number().default(0),
  center_input_sample: z.literal(false).default(false),
  downsample_padding: z.literal(1).default(1),
  mid_block_scale_factor: z.literal(1).default(1),
  addition_embed_type: z.null().optional(),
  class_embed_type: z.null().optional(),
  time_cond_proj_dim: z.null().optional(),
});

/** Settings of a denoiser; names and defaults of diffusers' `UNet2DConditionModel`. Other keys are kept. */
export type UNet2DConditionConfig = z.infer<typeof schema>;
/** Settings as a user may give them: what is left out has diffusers' defaults. */
export type UNet2DConditionConfigInput = z.input<typeof schema>;

/** Checks a configuration and fills in defaults. @throws naming every field that is not supported. */
export function parseUNetConfig(config: unknown): UNet2DConditionConfig {
  const parsed = parseConfig("UNet2DConditionModel", schema, config);
  const levels = parsed.block_out_channels.length;
  for (const name of ["down_block_types", "up_block_types"] as const) {
    if (parsed[name].length !== levels) {
      throw new Error(
        `UNet2DConditionModel: ${name} must have ${levels} entries, as block_out_channels has, got ${parsed[name].length}`,
      );
    }
  }
  return parsed;
}
