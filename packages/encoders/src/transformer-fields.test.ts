import { describe, expect, it } from "vitest";
import { parseCLIPConfig, parseCLIPTextConfig, parseCLIPVisionConfig } from "./clip/clip-config.js";
import { parseSiglipConfig, parseSiglipTextConfig, parseSiglipVisionConfig } from "./siglip/siglip-config.js";

/** A setting, the outermost values that are taken, and values just beyond them. */
type Bounds = [key: string, inside: unknown[], outside: unknown[]];

const ofTowers: Bounds[] = [
  ["hidden_size", [4, 131_072], [0, 131_073, 12.5, null, "12"]],
  ["intermediate_size", [1, 131_072], [0, 131_073]],
  ["num_hidden_layers", [1, 1024], [0, 1025, 1.5]],
  ["num_attention_heads", [1, 1024], [0, 1025, 1.5]],
  ["hidden_act", ["quick_gelu", "gelu", "gelu_new", "gelu_pytorch_tanh"], ["relu", null]],
  ["layer_norm_eps", [1e-12, 1], [0, -1e-6, 1.001]],
  ["attention_dropout", [0, 0.1, 0.999], [-0.1, 1, null]],
];
const ofTexts: Bounds[] = [
  ["vocab_size", [1, 4_194_304], [0, 4_194_305]],
  ["max_position_embeddings", [1, 1_048_576], [0, 1_048_577]],
];
const ofImages: Bounds[] = [
  ["num_channels", [1, 64], [0, 65]],
  ["image_size", [32, 16_384], [0, 16_385, 32.5, [32, 48], []]],
  ["patch_size", [1, 224], [0, 225, 16_385, [16, 14]]],
];

describe.each<[string, (config: object) => object, Bounds[]]>([
  ["parseCLIPTextConfig", parseCLIPTextConfig, [...ofTowers, ...ofTexts]],
  ["parseCLIPVisionConfig", parseCLIPVisionConfig, [...ofTowers, ...ofImages]],
  ["parseSiglipTextConfig", parseSiglipTextConfig, [...ofTowers, ...ofTexts]],
  ["parseSiglipVisionConfig", parseSiglipVisionConfig, [...ofTowers, ...ofImages]],
])("%s", (name, parse, bounds) => {
  const own: Bounds[] = name.startsWith("parseCLIP")
    ? [
        ["projection_dim", [1, 131_072], [0, 131_073]],
        [
          "eos_token_id",
          name.includes("Text") ? [0, 4_194_303] : [null],
          name.includes("Text") ? [-1, 4_194_304] : [],
        ],
      ]
    : [["pruned_heads", [{}], [{ 0: [1] }]]];
  const heads = { hidden_size: 1024, num_attention_heads: 4 };

  it.each([...bounds, ...own])("takes %s only within its bounds", (key, inside, outside) => {
    for (const value of inside)
      expect(parse({ ...heads, [key]: value }), String(value)).toHaveProperty(key, value);
    for (const value of outside) expect(() => parse({ ...heads, [key]: value }), String(value)).toThrow(key);
  });
});

describe.each([
  ["parseCLIPVisionConfig", parseCLIPVisionConfig],
  ["parseSiglipVisionConfig", parseSiglipVisionConfig],
])("%s", (_, parse) => {
  it("takes a list of equal sides, and images of one patch at least", () => {
    expect(parse({ image_size: [64, 64], patch_size: [64] })).toMatchObject({
      image_size: 64,
      patch_size: 64,
    });
    expect(() => parse({ image_size: 63, patch_size: 64 })).toThrow(
      "image_size must be at least patch_size, got 63 and 64",
    );
  });

  it("wants heads that divide the width", () => {
    expect(parse({ hidden_size: 10, num_attention_heads: 5 })).toMatchObject({ hidden_size: 10 });
    expect(() => parse({ hidden_size: 10, num_attention_heads: 4 })).toThrow(
      "hidden_size must be a multiple of num_attention_heads, got 10 and 4",
    );
  });
});

describe("parseCLIPConfig", () => {
  it.each<Bounds>([
    ["projection_dim", [1, 131_072], [0, 131_073, null]],
    ["logit_scale_init_value", [-1e4, 0, 1e4], [-1.0001e4, 1.0001e4, "1"]],
  ])("takes %s only within its bounds", (key, inside, outside) => {
    for (const value of inside) expect(parseCLIPConfig({ [key]: value })).toHaveProperty(key, value);
    for (const value of outside) expect(() => parseCLIPConfig({ [key]: value }), String(value)).toThrow(key);
  });

  it("gives its towers its projection_dim, whatever they say", () => {
    const { text_config, vision_config } = parseCLIPConfig({
      projection_dim: 7,
      text_config: { projection_dim: 3 },
      vision_config: { projection_dim: 3 },
    });
    expect([text_config.projection_dim, vision_config.projection_dim]).toEqual([7, 7]);
  });

  it.each(["text_config", "vision_config"])(
    "has the defaults where %s is absent, and refuses what is none",
    (key) => {
      for (const none of [null, undefined, {}])
        expect(parseCLIPConfig({ [key]: none })).toEqual(parseCLIPConfig({}));
      for (const wrong of [3, "x", []]) expect(() => parseCLIPConfig({ [key]: wrong })).toThrow(key);
      expect(() => parseCLIPConfig({ [key]: { colour: 1 } })).toThrow(`${key}.colour: unknown key`);
      expect(() => parseCLIPConfig({ [`${key}_dict`]: { colour: 1 } })).toThrow(
        `${key}_dict.colour: unknown key`,
      );
    },
  );
});

describe("parseSiglipConfig", () => {
  it("has a projection as wide as the text, which the image tower must meet", () => {
    expect(parseSiglipConfig({}).text_config.projection_size).toBe(768);
    const eight = { hidden_size: 8, num_attention_heads: 2 };
    const config = (projection_size?: number | null) =>
      parseSiglipConfig({ text_config: { ...eight, projection_size } as never, vision_config: eight });
    for (const none of [undefined, null]) expect(config(none).text_config.projection_size).toBe(8);
    expect(config(8).text_config.projection_size).toBe(8);
    expect(() => config(9)).toThrow(
      "text_config.projection_size must equal vision_config.hidden_size, got 9 and 8",
    );
    for (const wrong of [0, 131_073]) expect(() => config(wrong)).toThrow("projection_size");
  });

  it.each(["text_config", "vision_config"])(
    "has the defaults where %s is absent, and refuses what is none",
    (key) => {
      for (const none of [null, undefined, {}])
        expect(parseSiglipConfig({ [key]: none })).toEqual(parseSiglipConfig({}));
      for (const wrong of [3, "x", []]) expect(() => parseSiglipConfig({ [key]: wrong })).toThrow(key);
      expect(() => parseSiglipConfig({ [key]: { colour: 1 } })).toThrow(`${key}.colour: unknown key`);
    },
  );
});
