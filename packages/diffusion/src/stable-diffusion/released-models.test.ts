import { describe, expect, it } from "vitest";
import { DDPMScheduler } from "../schedulers/ddpm-scheduler.js";
import { UNet2DConditionModel } from "../unet/unet-2d-condition-model.js";
import { type UNet2DConditionConfigInput, unetLevels } from "../unet/unet-config.js";
import { AutoencoderKL } from "../vae/autoencoder-kl.js";

const cross = "CrossAttnDownBlock2D" as const;
const crossUp = "CrossAttnUpBlock2D" as const;
const common = {
  act_fn: "silu",
  center_input_sample: false,
  downsample_padding: 1,
  flip_sin_to_cos: true,
  freq_shift: 0,
  in_channels: 4,
  layers_per_block: 2,
  mid_block_scale_factor: 1,
  norm_eps: 1e-5,
  norm_num_groups: 32,
  out_channels: 4,
} as const;
const fourLevels = {
  block_out_channels: [320, 640, 1280, 1280],
  down_block_types: [cross, cross, cross, "DownBlock2D" as const],
  up_block_types: ["UpBlock2D" as const, crossUp, crossUp, crossUp],
};

/** `unet/config.json` of the released models, and their sizes (diffusers' `num_parameters()`). */
const released: Record<string, { config: UNet2DConditionConfigInput; parameters: number; heads: number[] }> =
  {
    "Stable Diffusion 1.4 and 1.5": {
      config: {
        _class_name: "UNet2DConditionModel",
        _diffusers_version: "0.6.0",
        ...common,
        ...fourLevels,
        attention_head_dim: 8,
        cross_attention_dim: 768,
        sample_size: 64,
      },
      parameters: 859_520_964,
      heads: [8, 8, 8, 8],
    },
    "Stable Diffusion 2.1-base": {
      config: {
        ...common,
        ...fourLevels,
        attention_head_dim: [5, 10, 20, 20],
        cross_attention_dim: 1024,
        dual_cross_attention: false,
        num_class_embeds: null,
        only_cross_attention: false,
        sample_size: 64,
        upcast_attention: false,
        use_linear_projection: true,
      },
      parameters: 865_910_724,
      // Each 64 wide, whatever the key's name says.
      heads: [5, 10, 20, 20],
    },
    "Stable Diffusion XL": {
      config: {
        ...common,
        addition_embed_type: "text_time",
        addition_embed_type_num_heads: 64,
        addition_time_embed_dim: 256,
        attention_head_dim: [5, 10, 20],
        block_out_channels: [320, 640, 1280],
        class_embed_type: null,
        class_embeddings_concat: false,
        conv_in_kernel: 3,
        conv_out_kernel: 3,
        cross_attention_dim: 2048,
        cross_attention_norm: null,
        down_block_types: ["DownBlock2D", cross, cross],
        dual_cross_attention: false,
        encoder_hid_dim: null,
        encoder_hid_dim_type: null,
        mid_block_only_cross_attention: null,
        mid_block_type: "UNetMidBlock2DCrossAttn",
        num_attention_heads: null,
        num_class_embeds: null,
        only_cross_attention: false,
        projection_class_embeddings_input_dim: 2816,
        resnet_out_scale_factor: 1.0,
        resnet_skip_time_act: false,
        resnet_time_scale_shift: "default",
        sample_size: 128,
        time_cond_proj_dim: null,
        time_embedding_act_fn: null,
        time_embedding_dim: null,
        time_embedding_type: "positional",
        timestep_post_act: null,
        transformer_layers_per_block: [1, 2, 10],
        up_block_types: [crossUp, crossUp, "UpBlock2D"],
        upcast_attention: null,
        use_linear_projection: true,
      },
      parameters: 2_567_463_684,
      heads: [5, 10, 20],
    },
  };

const sizeOf = (model: UNet2DConditionModel | AutoencoderKL) =>
  model.parameters().reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

describe.each(Object.entries(released))("the denoiser of %s", (_, { config, parameters, heads }) => {
  it("has its published size and heads", () => {
    const model = new UNet2DConditionModel(config);
    expect(sizeOf(model)).toBe(parameters);
    expect(unetLevels(model.config).map((level) => level.heads)).toEqual(heads);
  });
});

it("the VAE of Stable Diffusion has its published size", () => {
  const vae = new AutoencoderKL({
    act_fn: "silu",
    block_out_channels: [128, 256, 512, 512],
    down_block_types: Array(4).fill("DownEncoderBlock2D"),
    in_channels: 3,
    latent_channels: 4,
    layers_per_block: 2,
    norm_num_groups: 32,
    out_channels: 3,
    sample_size: 512,
    up_block_types: Array(4).fill("UpDecoderBlock2D"),
  });
  expect(sizeOf(vae)).toBe(83_653_863);
  expect(vae.factor).toBe(8);
  expect(vae.config.scaling_factor).toBe(0.18215);
});

it("the scheduler of Stable Diffusion 1.5 is read", () => {
  const { alphasCumprod, config } = new DDPMScheduler({
    _class_name: "PNDMScheduler",
    _diffusers_version: "0.6.0",
    beta_end: 0.012,
    beta_schedule: "scaled_linear",
    beta_start: 0.00085,
    clip_sample: false,
    num_train_timesteps: 1000,
    set_alpha_to_one: false,
    skip_prk_steps: true,
    steps_offset: 1,
    trained_betas: null,
  });
  expect(config.prediction_type).toBe("epsilon");
  expect(alphasCumprod[999]).toBeCloseTo(0.0046601, 6);
});
