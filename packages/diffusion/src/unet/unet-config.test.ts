import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseUNetConfig, type UNet2DConditionConfigInput, unetLevels } from "./unet-config.js";

/** Every key that diffusers writes, with its default. */
const defaults = JSON.parse(readFileSync(new URL("../../fixtures/config-keys.json", import.meta.url), "utf8"))
  .UNet2DConditionModel as Record<string, unknown>;
const parse = (config: UNet2DConditionConfigInput) => parseUNetConfig(config, { file: "config.json" });
const small = { block_out_channels: [32, 64, 64, 64] };

describe("parseUNetConfig", () => {
  it("knows every key that diffusers writes, and has its defaults", () => {
    const parsed = parse(defaults);
    expect(Object.keys(parsed)).toEqual(expect.arrayContaining(Object.keys(defaults)));
    const own = parse({});
    for (const [key, value] of Object.entries(own))
      expect([key, value ?? null]).toEqual([key, defaults[key]]);
  });

  it.each([
    { sample_size: [64, 96] },
    { act_fn: "swish" },
    { cross_attention_dim: [1280, 1280, 1280, 1280] },
    { upcast_attention: true },
    { dual_cross_attention: [false, false] },
    { mid_block_only_cross_attention: false },
    { time_embedding_act_fn: "swish" },
    { a_new_key: null, another: false },
    { _class_name: "UNet2DConditionModel", _diffusers_version: "0.42.1" },
    { class_embed_type: undefined },
    {
      decay: 0.9999,
      inv_gamma: 1,
      min_decay: 0,
      optimization_step: 4e5,
      power: 0.7,
      update_after_step: 0,
      use_ema_warmup: false,
    },
  ] as UNet2DConditionConfigInput[])("takes %j", (config) => {
    expect(() => parse(config)).not.toThrow();
  });

  // Each changes what diffusers computes, or is refused by diffusers too.
  it.each([
    ["act_fn", "mish"],
    ["addition_embed_type", "text"],
    ["attention_type", "gated"],
    ["center_input_sample", true],
    ["class_embeddings_concat", true],
    ["class_embed_type", "unheard"],
    ["conv_in_kernel", 4],
    ["cross_attention_dim", [1280, 1280, 640, 640]],
    ["cross_attention_norm", "layer_norm"],
    ["down_block_types", ["AttnDownBlock2D", "DownBlock2D", "DownBlock2D", "DownBlock2D"]],
    ["downsample_padding", 0],
    ["dropout", 0.1],
    ["dual_cross_attention", true],
    ["encoder_hid_dim", 24],
    ["encoder_hid_dim_type", "text_proj"],
    ["mid_block_only_cross_attention", true],
    ["mid_block_scale_factor", 1.4],
    ["mid_block_type", "UNetMidBlock2D"],
    ["norm_num_groups", null],
    ["num_attention_heads", 8],
    ["resnet_out_scale_factor", 2],
    ["resnet_skip_time_act", true],
    ["resnet_time_scale_shift", "ada_group"],
    [
      "reverse_transformer_layers_per_block",
      [
        [1, 1],
        [1, 1],
        [1, 1],
        [1, 1],
      ],
    ],
    ["time_cond_proj_dim", 256],
    ["time_embedding_type", "fourier"],
    ["transformer_layers_per_block", [[1, 1], 1, 1, 1]],
    ["a_key_of_tomorrow", 1],
  ])("refuses %s: %j by name", (key, value) => {
    expect(() => parse({ [key]: value } as never)).toThrow(
      new RegExp(`^UNet2DConditionModel: config\\.json: ${key}.*got`),
    );
  });

  it.each([
    [{ layers_per_block: 1e8 }, /layers_per_block: .*at most 1024.*got 100000000/],
    [{ transformer_layers_per_block: 1e8 }, /transformer_layers_per_block: .*got 100000000/],
    [
      { layers_per_block: 1024, transformer_layers_per_block: 1024 },
      /must make at most 8192 transformer layers, got 8392704/,
    ],
    [{ block_out_channels: Array(1e5).fill(32) }, /block_out_channels: .*at most 16/],
    [{ block_out_channels: [32, 64, 64, 2 ** 40] }, /block_out_channels\.3: .*at most 131072/],
    [{ conv_in_kernel: 1e6 + 1 }, /conv_in_kernel: .*at most 31/],
    [{ num_class_embeds: 1e10 }, /num_class_embeds: .*at most 4194304/],
    [
      { ...small, norm_num_groups: 24 },
      /block_out_channels\.0 must be a multiple of norm_num_groups, got 32 and 24/,
    ],
    [
      { ...small, attention_head_dim: [8, 12, 8, 8] },
      /block_out_channels\.1 must be a multiple of its attention_head_dim \(heads\), got 64 and 12/,
    ],
    [{ ...small, attention_head_dim: [8, 8] }, /attention_head_dim must have 4 entries/],
    [{ ...small, layers_per_block: [2, 2] }, /layers_per_block must have 4 entries/],
    [{ ...small, only_cross_attention: [true] }, /only_cross_attention must have 4 entries/],
    [
      { ...small, down_block_types: Array(4).fill("DownBlock2D") },
      /down_block_types must have a CrossAttnDownBlock2D/,
    ],
    [{ block_out_channels: [33, 66], norm_num_groups: 33 }, /down_block_types must have 2 entries/],
    [
      { ...small, freq_shift: 16 },
      /freq_shift must be less than half of block_out_channels\.0, got 16 and 32/,
    ],
    [
      { ...small, addition_embed_type: "text_time" },
      /projection_class_embeddings_input_dim is needed.*addition_time_embed_dim is needed/,
    ],
    [{ ...small, class_embed_type: "projection" }, /projection_class_embeddings_input_dim is needed/],
    [{ ...small, class_embed_type: "timestep", num_class_embeds: 3 }, /num_class_embeds must be null/],
    [{ ...small, norm_eps: Number.NaN }, /norm_eps/],
  ])("bounds the numbers: %#", (config, message) => {
    expect(() => parse(config as never)).toThrow(message);
  });
});

describe("parseUNetConfig", () => {
  it.each<[string, unknown[], unknown[]]>([
    ["in_channels", [1, 131_072], [0, 131_073, 1.5, null]],
    ["out_channels", [1, 131_072], [0, 131_073]],
    ["layers_per_block", [1, 1023, [1, 2, 3, 4]], [0, 1025, [1, 2, 3, 0]]],
    ["transformer_layers_per_block", [1, [1, 2, 3, 4]], [0, 1025, [0, 1, 1, 1]]],
    ["attention_head_dim", [1, [5, 10, 20, 20]], [0, 1025]],
    ["cross_attention_dim", [1, 131_072], [0, 131_073, null]],
    ["only_cross_attention", [true, [true, false, true, false]], [null, 1]],
    ["use_linear_projection", [true, false], [null, 1]],
    ["norm_num_groups", [1, 64], [0, 1.5]],
    ["norm_eps", [1e-12, 1], [0, -1e-5]],
    ["resnet_time_scale_shift", ["default", "scale_shift"], ["other", null]],
    ["flip_sin_to_cos", [true, false], [null, 1]],
    ["freq_shift", [-1, 0, 159], [160, null]],
    ["time_embedding_dim", [1, 131_072, null], [0, 131_073]],
    ["time_embedding_act_fn", ["silu", "gelu", "mish", "relu", null], ["tanh"]],
    ["timestep_post_act", ["silu", "gelu", "mish", "relu", null], ["tanh"]],
    ["conv_in_kernel", [1, 31], [0, 2, 32, 33, -1]],
    ["conv_out_kernel", [1, 31], [0, 2, 32, 33, -1]],
    ["class_embed_type", ["timestep", "identity", null], ["text"]],
    ["num_class_embeds", [1, 4_194_304, null], [0, 4_194_305]],
    ["mid_block_type", ["UNetMidBlock2DCrossAttn", null], ["UNetMidBlock2D"]],
    ["block_out_channels", [[32, 64, 32, 64]], [[], [32, 64, 64, 0], Array(17).fill(32)]],
  ])("takes %s only within its bounds", (key, inside, outside) => {
    for (const value of inside)
      expect(parse({ [key]: value } as never), String(value)).toHaveProperty(key, value);
    for (const value of outside) expect(() => parse({ [key]: value } as never), String(value)).toThrow(key);
  });

  it.each([
    "sample_size",
    "upcast_attention",
    "addition_embed_type_num_heads",
    "decay",
    "inv_gamma",
    "min_decay",
    "optimization_step",
    "power",
    "update_after_step",
    "use_ema_warmup",
  ])("takes %s, whatever it says", (key) => {
    expect(parse({ [key]: "set" })).toHaveProperty(key, "set");
  });

  it.each<[string, unknown[], unknown[]]>([
    ["attention_type", ["default"], ["gated"]],
    ["center_input_sample", [false], [true]],
    ["class_embeddings_concat", [false], [true]],
    ["cross_attention_norm", [null], ["layer_norm"]],
    ["downsample_padding", [1], [0]],
    ["dropout", [0], [0.1]],
    ["dual_cross_attention", [false], [true]],
    ["encoder_hid_dim", [null], [24]],
    ["encoder_hid_dim_type", [null], ["text_proj"]],
    ["mid_block_only_cross_attention", [null, false], [true]],
    ["mid_block_scale_factor", [1], [2]],
    ["num_attention_heads", [null], [8]],
    ["resnet_out_scale_factor", [1], [2]],
    ["resnet_skip_time_act", [false], [true]],
    ["reverse_transformer_layers_per_block", [null], [[[1]]]],
    ["time_cond_proj_dim", [null], [256]],
    ["time_embedding_type", ["positional"], ["fourier"]],
  ])("takes %s only where it changes nothing", (key, inside, outside) => {
    for (const value of inside) expect(parse({ [key]: value })).toHaveProperty(key, value);
    for (const value of outside) expect(() => parse({ [key]: value })).toThrow(`${key}: changes the result`);
  });

  it("says only that of lists of a wrong length", () => {
    expect(() => parse({ attention_head_dim: [7, 7], only_cross_attention: [true] })).toThrow(
      /^UNet2DConditionModel: config\.json: attention_head_dim must have 4 entries, as block_out_channels has, got 2\W+only_cross_attention must have 4 entries, as block_out_channels has, got 1$/,
    );
  });

  it("takes 8,192 transformer layers and no more", () => {
    const check = (last: number) => parse({ layers_per_block: [1024, 1024, 1024, last] });
    // 3 x (2 x 1024 + 1) + (2 x 1022 + 1)
    expect(() => check(1022)).not.toThrow();
    expect(() => check(1023)).toThrow("must make at most 8192 transformer layers, got 8194");
  });

  // Two levels of 32 and 64 channels; 12 heads divide neither, 8 both.
  const two = {
    block_out_channels: [32, 64],
    down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
    mid_block_type: null,
  } satisfies UNet2DConditionConfigInput;
  it.each<[string, UNet2DConditionConfigInput, number[], boolean]>([
    ["no block of the level attends", {}, [8, 12], true],
    ["its down block attends", {}, [12, 8], false],
    ["the middle attends", { mid_block_type: "UNetMidBlock2DCrossAttn" }, [8, 12], false],
    ["its up block attends", { up_block_types: ["CrossAttnUpBlock2D", "UpBlock2D"] }, [8, 12], false],
    [
      "only its up block attends, on the first level",
      { down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D"] },
      [12, 8],
      false,
    ],
    [
      "the way down attends alone",
      {
        down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types: ["CrossAttnUpBlock2D", "UpBlock2D"],
      },
      [12, 8],
      false,
    ],
    [
      "another level attends",
      {
        down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types: ["CrossAttnUpBlock2D", "UpBlock2D"],
      },
      [12, 8],
      true,
    ],
  ])("wants heads that divide a level's channels where %s", (_, change, attention_head_dim, fits) => {
    const run = () => parse({ ...two, ...change, attention_head_dim });
    if (fits) expect(run).not.toThrow();
    else expect(run).toThrow("must be a multiple of its attention_head_dim (heads)");
  });

  it.each<[UNet2DConditionConfigInput, string | undefined]>([
    [{ block_out_channels: [30, 30, 30, 30], norm_num_groups: 5, attention_head_dim: 5 }, undefined],
    [
      { block_out_channels: [35, 30, 30, 30], norm_num_groups: 5, attention_head_dim: 5 },
      "block_out_channels.0 must be even, got 35",
    ],
    // Only the first level makes sinusoids.
    [{ block_out_channels: [30, 35, 35, 35], norm_num_groups: 5, attention_head_dim: 5 }, undefined],
    [{ freq_shift: 159.9 }, undefined],
    [{ freq_shift: 160 }, "freq_shift must be less than half of block_out_channels.0, got 160 and 320"],
    [{ addition_time_embed_dim: 3 }, undefined],
    [
      {
        addition_embed_type: "text_time",
        addition_time_embed_dim: 3,
        projection_class_embeddings_input_dim: 30,
      },
      "addition_time_embed_dim must be even, got 3",
    ],
    [
      {
        ...{ addition_embed_type: "text_time", addition_time_embed_dim: 8, freq_shift: 4 },
        projection_class_embeddings_input_dim: 30,
      },
      "freq_shift must be less than half of addition_time_embed_dim, got 4 and 8",
    ],
    [
      {
        ...{ addition_embed_type: "text_time", addition_time_embed_dim: 8, freq_shift: 3 },
        projection_class_embeddings_input_dim: 30,
      },
      undefined,
    ],
    [
      { addition_embed_type: "text_time", addition_time_embed_dim: 8 },
      'projection_class_embeddings_input_dim is needed by addition_embed_type "text_time"',
    ],
    [
      { addition_embed_type: "text_time", projection_class_embeddings_input_dim: 8 },
      'addition_time_embed_dim is needed by addition_embed_type "text_time"',
    ],
    [
      { class_embed_type: "projection" },
      'projection_class_embeddings_input_dim is needed by class_embed_type "projection"',
    ],
    [
      { class_embed_type: "simple_projection" },
      'projection_class_embeddings_input_dim is needed by class_embed_type "simple_projection"',
    ],
    [{ class_embed_type: "simple_projection", projection_class_embeddings_input_dim: 3 }, undefined],
    [{ class_embed_type: "identity", num_class_embeds: 3 }, "num_class_embeds must be null where"],
    [{ class_embed_type: null, num_class_embeds: 3 }, undefined],
    [{ up_block_types: ["UpBlock2D"] }, "up_block_types must have 4 entries"],
    [
      { transformer_layers_per_block: [1, 2, 3, 4, 5] },
      "transformer_layers_per_block must have 4 entries, as block_out_channels has, got 5",
    ],
  ])("keeps keys in step: %j", (config, message) => {
    if (message === undefined) expect(() => parse(config)).not.toThrow();
    else expect(() => parse(config)).toThrow(message);
  });
});

describe("unetLevels", () => {
  it("gives each level its own settings", () => {
    const config = parse({
      ...small,
      layers_per_block: [1, 2, 3, 4],
      transformer_layers_per_block: [1, 2, 10, 1],
    });
    expect(unetLevels(config)[2]).toEqual({
      channels: 64,
      layers: 3,
      heads: 8,
      transformerLayers: 10,
      onlyCrossAttention: false,
    });
  });
});
