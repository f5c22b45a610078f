import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type AutoencoderKLConfigInput, parseVaeConfig } from "./vae-config.js";

/** Every key that diffusers writes, with its default. */
const defaults = JSON.parse(readFileSync(new URL("../../fixtures/config-keys.json", import.meta.url), "utf8"))
  .AutoencoderKL as Record<string, unknown>;
const parse = (config: AutoencoderKLConfigInput) => parseVaeConfig(config, { file: "config.json" });

describe("parseVaeConfig", () => {
  it("knows every key that diffusers writes, and has its defaults", () => {
    const parsed = parse(defaults);
    expect(Object.keys(parsed)).toEqual(expect.arrayContaining(Object.keys(defaults)));
    for (const [key, value] of Object.entries(parse({}))) expect([key, value]).toEqual([key, defaults[key]]);
  });

  it.each([
    { sample_size: [512, 512] },
    { act_fn: "swish" },
    { force_upcast: false },
    { shift_factor: 0 },
    { latents_mean: null },
    { a_new_key: null },
  ] as AutoencoderKLConfigInput[])("takes %j", (config) => {
    expect(() => parse(config)).not.toThrow();
  });

  it.each([
    ["act_fn", "mish"],
    ["down_block_types", ["AttnDownEncoderBlock2D"]],
    ["up_block_types", ["AttnUpDecoderBlock2D"]],
    ["latents_mean", [0.1, 0, 0, 0]],
    ["latents_std", [1, 1, 1, 1]],
    ["shift_factor", 0.1159],
    ["scaling_factor", 0],
    ["use_quant_conv", null],
    ["latent_magnitude", 3],
    ["layers_per_block", 1e8],
    ["block_out_channels", [2 ** 40]],
    ["latent_channels", 1e9],
  ])("refuses %s: %j by name", (key, value) => {
    expect(() => parse({ [key]: value } as never)).toThrow(
      new RegExp(`^AutoencoderKL: config\\.json: ${key}.*got`),
    );
  });

  it.each<[string, unknown[], unknown[]]>([
    ["in_channels", [1, 131_072], [0, 131_073, null]],
    ["out_channels", [1, 131_072], [0, 131_073, null]],
    ["block_out_channels", [[32], [131_072]], [[], [0], [131_104], Array(17).fill(32)]],
    ["layers_per_block", [1, 1024], [0, 1025, 1.5]],
    ["latent_channels", [1, 131_072], [0, 131_073]],
    ["norm_num_groups", [1, 64], [0, 65, 1.5]],
    ["scaling_factor", [1e-9, 10], [0, -1, Number.POSITIVE_INFINITY]],
    ["use_quant_conv", [true, false], [null, 1]],
    ["use_post_quant_conv", [true, false], [null, 1]],
    ["mid_block_add_attention", [true, false], [null, 1]],
    ["sample_size", [512, [1, 2], "any"], []],
    ["force_upcast", [true, false, 1], []],
    ["latents_mean", [null], [[0]]],
    ["latents_std", [null], [[1]]],
    ["shift_factor", [null, 0], [0.1]],
  ])("takes %s only within its bounds", (key, inside, outside) => {
    for (const value of inside)
      expect(parse({ [key]: value } as never), String(value)).toHaveProperty(key, value);
    for (const value of outside) expect(() => parse({ [key]: value } as never), String(value)).toThrow(key);
  });

  it("takes levels that agree", () => {
    const three = {
      block_out_channels: [32, 64, 64],
      down_block_types: Array(3).fill("DownEncoderBlock2D"),
      up_block_types: Array(3).fill("UpDecoderBlock2D"),
    };
    expect(() => parse(three)).not.toThrow();
    expect(() => parse({ ...three, up_block_types: Array(2).fill("UpDecoderBlock2D") })).toThrow(
      "up_block_types must have 3 entries, as block_out_channels has, got 2",
    );
    expect(() => parse({ ...three, block_out_channels: [32, 64, 80] })).toThrow(
      "block_out_channels.2 must be a multiple of norm_num_groups, got 80 and 32",
    );
  });

  it("refuses levels that do not agree, and groups that do not divide", () => {
    expect(() => parse({ block_out_channels: [64, 64] })).toThrow(
      /down_block_types must have 2 entries.*up_block_types must have 2 entries/,
    );
    expect(() => parse({ block_out_channels: [48] })).toThrow(
      /block_out_channels\.0 must be a multiple of norm_num_groups, got 48 and 32/,
    );
  });
});
