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

  it("refuses levels that do not agree, and groups that do not divide", () => {
    expect(() => parse({ block_out_channels: [64, 64] })).toThrow(
      /down_block_types must have 2 entries.*up_block_types must have 2 entries/,
    );
    expect(() => parse({ block_out_channels: [48] })).toThrow(
      /block_out_channels\.0 must be a multiple of norm_num_groups, got 48 and 32/,
    );
  });
});
