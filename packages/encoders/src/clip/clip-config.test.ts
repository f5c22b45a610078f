import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseCLIPConfig, parseCLIPTextConfig, parseCLIPVisionConfig } from "./clip-config.js";

const keys = JSON.parse(
  await readFile(fileURLToPath(new URL("../../fixtures/config-keys.json", import.meta.url)), "utf8"),
) as Record<string, Record<string, unknown>>;

/** The keys that transformers 4.16 wrote into every section of a configuration. */
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

/** The values in which the published configurations differ. */
interface Published {
  dim: number;
  text: Record<string, unknown>;
  vision: Record<string, unknown>;
  /** Whether the older dicts repeat the sections' sizes, as in OpenAI's L/14 models; they are null in B/32 and B/16. */
  dicts?: boolean;
}

/** config.json of OpenAI's models on the Hugging Face hub, as transformers 4.16 wrote it: sections in full. */
function openai({ dim, text, vision, dicts }: Published) {
  return {
    _name_or_path: "openai/clip",
    architectures: ["CLIPModel"],
    initializer_factor: 1,
    logit_scale_init_value: 2.6592,
    model_type: "clip",
    projection_dim: dim,
    text_config: {
      ...generic,
      ...text,
      max_position_embeddings: 77,
      model_type: "clip_text_model",
      projection_dim: dim,
      vocab_size: 49408,
    },
    text_config_dict: dicts ? { ...text, projection_dim: dim } : null,
    torch_dtype: "float32",
    transformers_version: null,
    vision_config: {
      ...generic,
      ...vision,
      bos_token_id: null,
      eos_token_id: null,
      exponential_decay_length_penalty: null,
      model_type: "clip_vision_model",
      pad_token_id: null,
      projection_dim: dim,
      tf_legacy_loss: false,
    },
    vision_config_dict: dicts ? { ...vision, projection_dim: dim } : null,
  };
}

/** config.json of facebook/metaclip-*, as transformers 4.35 wrote it: what differs from the defaults. */
function metaclip({ dim, text, vision }: Published) {
  return {
    architectures: ["CLIPModel"],
    initializer_factor: 1,
    logit_scale_init_value: 2.6592,
    model_type: "clip",
    projection_dim: dim,
    text_config: { ...text, model_type: "clip_text_model", projection_dim: dim },
    torch_dtype: "float32",
    transformers_version: "4.35.0.dev0",
    vision_config: { ...vision, model_type: "clip_vision_model", projection_dim: dim },
  };
}

const size = (hidden_size: number, num_attention_heads: number, num_hidden_layers: number) => ({
  hidden_size,
  intermediate_size: 4 * hidden_size,
  num_attention_heads,
  num_hidden_layers,
});
const tower = (patch_size: number, image_size: number, width: number, heads: number, layers: number) => ({
  ...size(width, heads, layers),
  image_size,
  patch_size,
});
const [textB, textL] = [size(512, 8, 12), size(768, 12, 12)];
const models: [string, (published: Published) => object, Published][] = [
  ["OpenAI B/32", openai, { dim: 512, text: textB, vision: tower(32, 224, 768, 12, 12) }],
  ["OpenAI B/16", openai, { dim: 512, text: textB, vision: tower(16, 224, 768, 12, 12) }],
  ["OpenAI L/14", openai, { dim: 768, text: textL, vision: tower(14, 224, 1024, 16, 24), dicts: true }],
  ["OpenAI L/14 336", openai, { dim: 768, text: textL, vision: tower(14, 336, 1024, 16, 24), dicts: true }],
  ["MetaCLIP L/14", metaclip, { dim: 768, text: textL, vision: tower(14, 224, 1024, 16, 24) }],
  ["MetaCLIP H/14", metaclip, { dim: 1024, text: size(1024, 16, 24), vision: tower(14, 224, 1280, 16, 32) }],
];

describe("parseCLIPConfig", () => {
  it.each(models)("reads %s as it is published", (_, write, published) => {
    const { dim, text, vision, dicts = false } = published;
    const config = parseCLIPConfig(write(published));
    // All six are trained with quick_gelu: open_clip has MetaCLIP's as ViT-L-14-quickgelu and ViT-H-14-quickgelu.
    const common = { hidden_act: "quick_gelu", layer_norm_eps: 1e-5, projection_dim: dim };
    expect(config).toMatchObject({
      projection_dim: dim,
      text_config: { ...text, ...common, vocab_size: 49408, max_position_embeddings: 77 },
      vision_config: { ...vision, ...common, num_channels: 3 },
    });
    // As in transformers, a dict's defaults win over the section: the legacy id 2 is gone.
    expect(config.text_config.eos_token_id).toBe(write === openai && !dicts ? 2 : 49407);
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
    [{ text_config: { attention_dropout: 1 } }, /text_config\.attention_dropout: .*less than 1, got 1/],
    [{ pruned_heads: { 0: [1] } }, /CLIPConfig: pruned_heads: changes the result .*got /],
    [{ text_config_dict: { hidden_act: "relu" } }, /text_config_dict\.hidden_act: .*got "relu"/],
    [{ vision_config: { use_rope: true } }, /vision_config\.use_rope: unknown key, got true/],
    [{ qk_norm: "rms" }, /CLIPConfig: qk_norm: unknown key/],
    [{ projection_dim: 0 }, /projection_dim: .*got 0/],
  ])("refuses %j", (config, message) => {
    expect(() => parseCLIPConfig(config)).toThrow(message);
  });

  it("takes dropouts, and heads of which none is pruned", () => {
    const dropouts = { attention_dropout: 0.1, dropout: 0.1, pruned_heads: {} };
    const config = { pruned_heads: {}, text_config: dropouts, vision_config: dropouts };
    expect(parseCLIPConfig(config)).toMatchObject(config);
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
