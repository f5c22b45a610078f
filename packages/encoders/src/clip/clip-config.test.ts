import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseCLIPConfig, parseCLIPTextConfig, parseCLIPVisionConfig } from "./clip-config.js";

const keys = JSON.parse(
  await readFile(fileURLToPath(new URL("../../fixtures/config-keys.json", import.meta.url)), "utf8"),
) as Record<string, Record<string, unknown>>;

/** What transformers 4.16 wrote into every section of a configuration. */
const generic = {
  _name_or_path: "",
  add_cross_attention: false,
  architectures: null,
  attention_dropout: 0,
  bad_words_ids: null,
  bos_token_id: 0,
  chunk_size_feed_forward: 0,
  cross_attention_hidden_size: null,
  decoder_start_token_id: null,
  diversity_penalty: 0,
  do_sample: false,
  dropout: 0,
  early_stopping: false,
  encoder_no_repeat_ngram_size: 0,
  eos_token_id: 2,
  finetuning_task: null,
  forced_bos_token_id: null,
  forced_eos_token_id: null,
  hidden_act: "quick_gelu",
  id2label: { 0: "LABEL_0", 1: "LABEL_1" },
  initializer_factor: 1,
  initializer_range: 0.02,
  is_decoder: false,
  is_encoder_decoder: false,
  label2id: { LABEL_0: 0, LABEL_1: 1 },
  layer_norm_eps: 1e-5,
  length_penalty: 1,
  max_length: 20,
  min_length: 0,
  no_repeat_ngram_size: 0,
  num_beam_groups: 1,
  num_beams: 1,
  num_return_sequences: 1,
  output_attentions: false,
  output_hidden_states: false,
  output_scores: false,
  pad_token_id: 1,
  prefix: null,
  problem_type: null,
  pruned_heads: {},
  remove_invalid_values: false,
  repetition_penalty: 1,
  return_dict: true,
  return_dict_in_generate: false,
  sep_token_id: null,
  task_specific_params: null,
  temperature: 1,
  tie_encoder_decoder: false,
  tie_word_embeddings: true,
  tokenizer_class: null,
  top_k: 50,
  top_p: 1,
  torch_dtype: null,
  torchscript: false,
  transformers_version: "4.16.0.dev0",
  typical_p: 1,
  use_bfloat16: false,
};

/** A configuration as OpenAI's models on the Hugging Face hub have it: sections in full, and the older dicts beside them. */
function published(
  dim: number,
  text: Record<string, unknown>,
  vision: Record<string, unknown>,
  acts: { hidden_act?: string } = {},
) {
  const top = { architectures: ["CLIPModel"], initializer_factor: 1, logit_scale_init_value: 2.6592 };
  return {
    ...top,
    _name_or_path: "openai/clip",
    model_type: "clip",
    projection_dim: dim,
    text_config: {
      ...generic,
      ...text,
      ...acts,
      max_position_embeddings: 77,
      model_type: "clip_text_model",
      vocab_size: 49408,
      projection_dim: dim,
    },
    text_config_dict: { ...text, ...acts, projection_dim: dim },
    torch_dtype: "float32",
    transformers_version: null,
    vision_config: { ...generic, ...vision, ...acts, model_type: "clip_vision_model", projection_dim: dim },
    vision_config_dict: { ...vision, ...acts, projection_dim: dim },
  };
}

const size = (hidden_size: number, num_attention_heads: number, num_hidden_layers: number) => ({
  hidden_size,
  intermediate_size: 4 * hidden_size,
  num_attention_heads,
  num_hidden_layers,
});
const models = [
  ["OpenAI B/32", 512, size(512, 8, 12), { ...size(768, 12, 12), image_size: 224, patch_size: 32 }],
  ["OpenAI B/16", 512, size(512, 8, 12), { ...size(768, 12, 12), image_size: 224, patch_size: 16 }],
  ["OpenAI L/14", 768, size(768, 12, 12), { ...size(1024, 16, 24), image_size: 224, patch_size: 14 }],
  ["OpenAI L/14 336", 768, size(768, 12, 12), { ...size(1024, 16, 24), image_size: 336, patch_size: 14 }],
  ["MetaCLIP L/14", 768, size(768, 12, 12), { ...size(1024, 16, 24), image_size: 224, patch_size: 14 }],
  ["MetaCLIP H/14", 1024, size(1024, 16, 24), { ...size(1280, 16, 32), image_size: 224, patch_size: 14 }],
] as const;

describe("parseCLIPConfig", () => {
  it.each(models)("reads %s as it is published", (name, dim, text, vision) => {
    const acts = name === "MetaCLIP H/14" ? { hidden_act: "gelu" } : {};
    const config = parseCLIPConfig(published(dim, text, vision, acts));
    expect(config).toMatchObject({
      projection_dim: dim,
      text_config: { ...text, ...acts, vocab_size: 49408, max_position_embeddings: 77, projection_dim: dim },
      vision_config: { ...vision, ...acts, num_channels: 3, layer_norm_eps: 1e-5, projection_dim: dim },
    });
    // As in transformers, the dict's defaults win over the sections: the legacy id 2 is gone.
    expect(config.text_config.eos_token_id).toBe(49407);
    expect(config).not.toHaveProperty("text_config_dict");
  });

  it("knows every key that transformers writes, with its default", () => {
    expect(parseCLIPConfig(keys["CLIPConfig"])).toEqual(parseCLIPConfig({ ...keys["CLIPConfig"] }));
    const bare = parseCLIPConfig({});
    for (const [key, value] of Object.entries(bare.text_config))
      expect(keys["CLIPTextConfig"]![key]).toBe(value);
    for (const [key, value] of Object.entries(bare.vision_config))
      expect(keys["CLIPVisionConfig"]![key]).toBe(value);
    expect(parseCLIPTextConfig(keys["CLIPTextConfig"])).toMatchObject(bare.text_config);
    expect(parseCLIPVisionConfig(keys["CLIPVisionConfig"])).toMatchObject(bare.vision_config);
  });

  it("gives the towers the model's projection", () => {
    const config = parseCLIPConfig({ projection_dim: 20, vision_config: { projection_dim: 512 } });
    expect([config.text_config.projection_dim, config.vision_config.projection_dim]).toEqual([20, 20]);
  });

  it.each([
    [
      { vision_config: { num_hidden_layers: 1e8 } },
      /vision_config\.num_hidden_layers: .*at most 1024, got 100000000/,
    ],
    [{ vision_config: { hidden_size: 2 ** 40 } }, /vision_config\.hidden_size: .*got 1099511627776/],
    [{ text_config: { vocab_size: 1e12 } }, /text_config\.vocab_size: .*got 1000000000000/],
    [
      { text_config: { hidden_size: 10, num_attention_heads: 3 } },
      /hidden_size must be a multiple of num_attention_heads, got 10 and 3/,
    ],
    [
      { vision_config: { image_size: 8, patch_size: 9 } },
      /image_size must be at least patch_size, got 8 and 9/,
    ],
    [{ vision_config: { image_size: [224, 336] } }, /vision_config\.image_size/],
    [
      { text_config: { attention_dropout: 0.1 } },
      /text_config\.attention_dropout: .*supported at 0 alone, got 0\.1/,
    ],
    [{ text_config_dict: { hidden_act: "relu" } }, /text_config_dict\.hidden_act: .*got "relu"/],
    [{ vision_config: { use_rope: true } }, /vision_config\.use_rope: unknown key, got true/],
    [{ qk_norm: "rms" }, /CLIPConfig: qk_norm: unknown key/],
    [{ projection_dim: 0 }, /projection_dim: .*got 0/],
  ])("refuses %j", (config, message) => {
    expect(() => parseCLIPConfig(config)).toThrow(message);
  });

  it("accepts lists of equal values, and unknown keys that are named", () => {
    const config = { vision_config: { image_size: [224, 224], patch_size: [14, 14], colour: "blue" } };
    expect(parseCLIPConfig(config, { acceptKeys: ["colour"] }).vision_config).toMatchObject({
      image_size: 224,
      patch_size: 14,
      colour: "blue",
    });
  });
});
