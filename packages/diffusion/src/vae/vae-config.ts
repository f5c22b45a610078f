import {
  type ConfigFormat,
  type ConfigOptions,
  choice,
  layerCount,
  levels,
  parseConfig,
  width,
} from "@dcr-js/tensor";
import { z } from "zod";

const schema = z
  .object({
    in_channels: width.default(3),
    out_channels: width.default(3),
    down_block_types: levels(z.literal("DownEncoderBlock2D")).default(["DownEncoderBlock2D"]),
    up_block_types: levels(z.literal("UpDecoderBlock2D")).default(["UpDecoderBlock2D"]),
    block_out_channels: levels(width).default([64]),
    layers_per_block: layerCount.default(1),
    latent_channels: width.default(4),
    norm_num_groups: width.default(32),
    act_fn: choice(["silu"], { swish: "silu" }).default("silu"),
    scaling_factor: z.number().positive().default(0.18215),
    use_quant_conv: z.boolean().default(true),
    use_post_quant_conv: z.boolean().default(true),
    mid_block_add_attention: z.boolean().default(true),
  })
  .check((context) => {
    const { block_out_channels: widths, norm_num_groups: groups } = context.value;
    const problems: string[] = [];
    for (const name of ["down_block_types", "up_block_types"] as const) {
      const { length } = context.value[name];
      if (length !== widths.length) {
        problems.push(`${name} must have ${widths.length} entries, as block_out_channels has, got ${length}`);
      }
    }
    for (const [level, channels] of widths.entries()) {
      if (channels % groups === 0) continue;
      problems.push(
        `block_out_channels.${level} must be a multiple of norm_num_groups, got ${channels} and ${groups}`,
      );
    }
    for (const message of problems) {
      context.issues.push({ code: "custom", message, input: context.value });
    }
  });

const format = {
  name: "AutoencoderKL",
  schema,
  harmless: [
    "sample_size",
    // It computes in float32.
    "force_upcast",
  ],
  // Pipelines shift and scale latents by them; here latents are multiplied by `scaling_factor` only.
  neutral: { latents_mean: [null], latents_std: [null], shift_factor: [null, 0] },
} satisfies ConfigFormat<typeof schema>;

/** Keys that do not change the result are kept as they came. */
type OtherKeys = { [key: string]: unknown };
/** Settings of an auto-encoder; names and defaults of diffusers' `AutoencoderKL`. */
export type AutoencoderKLConfig = z.output<typeof schema> & OtherKeys;
/** Settings as a user may give them: absent ones have diffusers' defaults. */
export type AutoencoderKLConfigInput = z.input<typeof schema> & OtherKeys;

/**
 * Checks a configuration and fills in defaults.
 *
 * @throws naming every key that is unknown, unsupported, out of range, or that contradicts another
 */
export function parseVaeConfig(config: unknown, options?: ConfigOptions): AutoencoderKLConfig {
  return parseConfig(format, config, options);
}
