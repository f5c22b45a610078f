import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseSiglipConfig, parseSiglipTextConfig, parseSiglipVisionConfig } from "./siglip-config.js";

const keys = JSON.parse(
  await readFile(fileURLToPath(new URL("../../fixtures/config-keys.json", import.meta.url)), "utf8"),
) as Record<string, Record<string, unknown>>;

const so400m = { hidden_size: 1152, intermediate_size: 4304, num_attention_heads: 16, num_hidden_layers: 27 };
const base = { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12, num_hidden_layers: 12 };

/** config.json of google/siglip-* on the Hugging Face hub: what differs from transformers' defaults. */
function published(text: object, vision: object) {
  return {
    architectures: ["SiglipModel"],
    initializer_factor: 1,
    model_type: "siglip",
    text_config: { ...text, model_type: "siglip_text_model" },
    torch_dtype: "float32",
    transformers_version: "4.37.0.dev0",
    vision_config: { ...vision, model_type: "siglip_vision_model" },
  };
}

describe("parseSiglipConfig", () => {
  it.each([
    ["SigLIP base/16 224", {}, {}, [base, base, 224, 16, 32000]],
    // The one model with texts of 16 tokens.
    [
      "SigLIP SO400M/14 224",
      { ...so400m, max_position_embeddings: 16 },
      { ...so400m, image_size: 224, patch_size: 14 },
      [so400m, so400m, 224, 14, 32000],
    ],
    [
      "SigLIP SO400M/14 384",
      so400m,
      { ...so400m, image_size: 384, patch_size: 14 },
      [so400m, so400m, 384, 14, 32000],
    ],
    [
      "SigLIP 2 SO400M/14 384",
      { ...so400m, projection_size: 1152, vocab_size: 256000 },
      { ...so400m, image_size: 384, patch_size: 14 },
      [so400m, so400m, 384, 14, 256000],
    ],
  ] as const)(
    "reads %s as it is published",
    (_, text, vision, [ofText, ofVision, image, patch, vocabulary]) => {
      const act = { hidden_act: "gelu_pytorch_tanh", layer_norm_eps: 1e-6 };
      expect(parseSiglipConfig(published(text, vision))).toMatchObject({
        text_config: { ...ofText, ...act, vocab_size: vocabulary, projection_size: ofText.hidden_size },
        vision_config: { ...ofVision, ...act, image_size: image, patch_size: patch, num_channels: 3 },
      });
    },
  );

  it("knows every key that transformers writes, with its default", () => {
    expect(parseSiglipConfig(keys["SiglipConfig"])).toMatchObject(parseSiglipConfig({}));
    const bare = parseSiglipConfig({});
    for (const [key, value] of Object.entries(bare.text_config))
      expect(keys["SiglipTextConfig"]![key]).toBe(value);
    for (const [key, value] of Object.entries(bare.vision_config))
      expect(keys["SiglipVisionConfig"]![key]).toBe(value);
    expect(parseSiglipTextConfig(keys["SiglipTextConfig"])).toMatchObject(bare.text_config);
    expect(parseSiglipVisionConfig(keys["SiglipVisionConfig"])).toMatchObject(bare.vision_config);
  });

  it.each([
    [{ vision_config: { num_hidden_layers: 1e8 } }, /vision_config\.num_hidden_layers: .*got 100000000/],
    [{ vision_config: { num_patches: 256 } }, /vision_config\.num_patches: unknown key, got 256/],
    [{ vision_config: { vision_use_head: false } }, /vision_use_head: .*supported only at true, got false/],
    [
      { text_config: { hidden_size: 100 } },
      /hidden_size must be a multiple of num_attention_heads, got 100 and 12/,
    ],
    [{ pruned_heads: { 0: [1] } }, /SiglipConfig: pruned_heads: changes the result .*got /],
    [{ text_config: { vision_use_head: 3 } }, /text_config\.vision_use_head: unknown key, got 3/],
  ])("refuses %j", (config, message) => {
    expect(() => parseSiglipConfig(config)).toThrow(message);
  });

  it("takes dropouts, and heads of which none is pruned", () => {
    const dropouts = { attention_dropout: 0.1, dropout: 0.1, pruned_heads: {} };
    const config = { pruned_heads: {}, text_config: dropouts, vision_config: dropouts };
    expect(parseSiglipConfig(config)).toMatchObject(config);
  });
});
