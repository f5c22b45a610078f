import { CLIPTextModel, CLIPTextModelWithProjection } from "@dcr-js/encoders";
import type { Module } from "@dcr-js/tensor";
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

/** Keys that diffusers writes since 0.20, at their defaults. */
const later = {
  addition_embed_type_num_heads: 64,
  attention_type: "default",
  class_embed_type: null,
  class_embeddings_concat: false,
  conv_in_kernel: 3,
  conv_out_kernel: 3,
  cross_attention_norm: null,
  dropout: 0,
  dual_cross_attention: false,
  encoder_hid_dim: null,
  encoder_hid_dim_type: null,
  mid_block_only_cross_attention: null,
  mid_block_type: "UNetMidBlock2DCrossAttn",
  num_attention_heads: null,
  num_class_embeds: null,
  only_cross_attention: false,
  resnet_out_scale_factor: 1,
  resnet_skip_time_act: false,
  resnet_time_scale_shift: "default",
  time_cond_proj_dim: null,
  time_embedding_act_fn: null,
  time_embedding_dim: null,
  time_embedding_type: "positional",
  timestep_post_act: null,
} as const;

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
        _class_name: "UNet2DConditionModel",
        _diffusers_version: "0.21.4",
        ...common,
        ...later,
        ...fourLevels,
        addition_embed_type: null,
        addition_time_embed_dim: null,
        attention_head_dim: [5, 10, 20, 20],
        cross_attention_dim: 1024,
        projection_class_embeddings_input_dim: null,
        sample_size: 64,
        transformer_layers_per_block: 1,
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
        ...later,
        addition_embed_type: "text_time",
        addition_time_embed_dim: 256,
        attention_head_dim: [5, 10, 20],
        block_out_channels: [320, 640, 1280],
        cross_attention_dim: 2048,
        down_block_types: ["DownBlock2D", cross, cross],
        projection_class_embeddings_input_dim: 2816,
        reverse_transformer_layers_per_block: null,
        sample_size: 128,
        transformer_layers_per_block: [1, 2, 10],
        up_block_types: [crossUp, crossUp, "UpBlock2D"],
        upcast_attention: null,
        use_linear_projection: true,
      },
      parameters: 2_567_463_684,
      heads: [5, 10, 20],
    },
  };

const textCommon = {
  attention_dropout: 0,
  bos_token_id: 0,
  dropout: 0,
  eos_token_id: 2,
  initializer_factor: 1,
  initializer_range: 0.02,
  layer_norm_eps: 1e-5,
  max_position_embeddings: 77,
  model_type: "clip_text_model",
  pad_token_id: 1,
  torch_dtype: "float16",
  transformers_version: "4.34.0",
  vocab_size: 49408,
};
const width = (hidden_size: number, num_attention_heads: number, num_hidden_layers: number) => ({
  hidden_size,
  intermediate_size: 4 * hidden_size,
  num_attention_heads,
  num_hidden_layers,
});

const sizeOf = (model: Module) =>
  model.parameters().reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

describe.each(Object.entries(released))("the denoiser of %s", (_, { config, parameters, heads }) => {
  it("has its published size and heads", () => {
    const model = new UNet2DConditionModel(config);
    expect(sizeOf(model)).toBe(parameters);
    expect(unetLevels(model.config).map((level) => level.heads)).toEqual(heads);
  });
});

it.each([
  ["2.1-base", { sample_size: 768, scaling_factor: 0.18215 }, 0.18215],
  ["XL", { sample_size: 1024, scaling_factor: 0.13025 }, 0.13025],
  ["1.4, which leaves the factor out", { sample_size: 512 }, 0.18215],
])("the VAE of Stable Diffusion %s has its published size", (_, own, factor) => {
  const vae = new AutoencoderKL({
    _class_name: "AutoencoderKL",
    act_fn: "silu",
    block_out_channels: [128, 256, 512, 512],
    down_block_types: Array(4).fill("DownEncoderBlock2D"),
    force_upcast: true,
    in_channels: 3,
    latent_channels: 4,
    layers_per_block: 2,
    norm_num_groups: 32,
    out_channels: 3,
    up_block_types: Array(4).fill("UpDecoderBlock2D"),
    ...own,
  });
  expect(sizeOf(vae)).toBe(83_653_863);
  expect(vae.factor).toBe(8);
  expect(vae.config.scaling_factor).toBe(factor);
});

/** `text_encoder/config.json`; `num_parameters()` of transformers. */
it.each([
  [
    "1.4's and XL's first",
    { hidden_act: "quick_gelu", ...width(768, 12, 12), projection_dim: 768 },
    123_060_480,
  ],
  ["2.1-base's", { hidden_act: "gelu", ...width(1024, 16, 23), projection_dim: 512 }, 340_387_840],
] as const)("%s text encoder has its published size", (_, own, parameters) => {
  const model = new CLIPTextModel({ ...textCommon, architectures: ["CLIPTextModel"], ...own });
  expect(sizeOf(model)).toBe(parameters);
});

it("XL's second text encoder has its published size", () => {
  const model = new CLIPTextModelWithProjection({
    ...textCommon,
    architectures: ["CLIPTextModelWithProjection"],
    hidden_act: "gelu",
    ...width(1280, 20, 32),
    projection_dim: 1280,
  });
  expect(sizeOf(model)).toBe(694_659_840);
});

it("XL's scheduler is read", () => {
  const { config } = new DDPMScheduler({
    _class_name: "EulerDiscreteScheduler",
    _diffusers_version: "0.22.0.dev0",
    beta_end: 0.012,
    beta_schedule: "scaled_linear",
    beta_start: 0.00085,
    clip_sample: false,
    interpolation_type: "linear",
    num_train_timesteps: 1000,
    prediction_type: "epsilon",
    sample_max_value: 1,
    set_alpha_to_one: false,
    skip_prk_steps: true,
    steps_offset: 1,
    timestep_spacing: "leading",
    trained_betas: null,
    use_karras_sigmas: false,
  });
  expect(config.prediction_type).toBe("epsilon");
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
