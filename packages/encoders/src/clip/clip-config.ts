import { type ConfigOptions, multipleOf, parseConfig, transformersKeys, width } from "@dcr-js/tensor";
import { z } from "zod";
import type { FormConfig } from "../model-folder.js";
import {
  anyNumber,
  atLeastOnePatch,
  textFields,
  transformerFields,
  visionFields,
} from "../transformer-fields.js";

// The defaults are transformers' own: its config.json files may leave out what equals them.
const transformer = {
  ...transformerFields,
  num_hidden_layers: transformerFields.num_hidden_layers.default(12),
  hidden_act: transformerFields.hidden_act.default("quick_gelu"),
  layer_norm_eps: transformerFields.layer_norm_eps.default(1e-5),
  attention_dropout: transformerFields.attention_dropout.default(0),
};

const textConfig = z
  .object({
    ...transformer,
    hidden_size: transformer.hidden_size.default(512),
    intermediate_size: transformer.intermediate_size.default(2048),
    num_attention_heads: transformer.num_attention_heads.default(8),
    vocab_size: textFields.vocab_size.default(49408),
    max_position_embeddings: textFields.max_position_embeddings.default(77),
    eos_token_id: textFields.eos_token_id.default(49407),
    projection_dim: width.default(512),
  })
  .refine(...multipleOf("hidden_size", "num_attention_heads"));

const visionConfig = z
  .object({
    ...transformer,
    hidden_size: transformer.hidden_size.default(768),
    intermediate_size: transformer.intermediate_size.default(3072),
    num_attention_heads: transformer.num_attention_heads.default(12),
    num_channels: visionFields.num_channels.default(3),
    image_size: visionFields.image_size.default(224),
    patch_size: visionFields.patch_size.default(32),
    projection_dim: width.default(512),
  })
  .refine(...multipleOf("hidden_size", "num_attention_heads"))
  .refine(...atLeastOnePatch);

const section = z.record(z.string(), z.unknown()).nullish();
const clipConfig = z.object({
  projection_dim: width.default(512),
  logit_scale_init_value: anyNumber.default(2.6592),
  text_config: section,
  vision_config: section,
  text_config_dict: section,
  vision_config_dict: section,
});

// No class reads "dropout", which transformers 4 wrote.
const harmless = [...transformersKeys, "model_type", "initializer_range", "initializer_factor", "dropout"];
const neutral = { pruned_heads: [{}] };

/** Keys that do not change the result are kept as they came. */
type OtherKeys = { [key: string]: unknown };
/** Settings of a CLIP text tower; names and defaults of transformers' `CLIPTextConfig`. */
export type CLIPTextConfig = z.infer<typeof textConfig> & OtherKeys;
/** Settings of a CLIP vision tower; names and defaults of transformers' `CLIPVisionConfig`. */
export type CLIPVisionConfig = z.infer<typeof visionConfig> & OtherKeys;
/** Settings of a whole CLIP model; names and defaults of transformers' `CLIPConfig`. */
export type CLIPConfig = {
  projection_dim: number;
  logit_scale_init_value: number;
  text_config: CLIPTextConfig;
  vision_config: CLIPVisionConfig;
} & OtherKeys;
/** Settings as a user may give them: what is left out has transformers' defaults. */
export type CLIPConfigInput = OtherKeys & {
  projection_dim?: number;
  logit_scale_init_value?: number;
  text_config?: Partial<CLIPTextConfig>;
  vision_config?: Partial<CLIPVisionConfig>;
  text_config_dict?: Partial<CLIPTextConfig>;
  vision_config_dict?: Partial<CLIPVisionConfig>;
};
/** The part that both towers have in common: a stack of pre-norm transformer layers. */
export type CLIPEncoderConfig = Pick<z.infer<typeof textConfig>, keyof typeof transformerFields>;

/**
 * Checks the settings of a text tower and fills in defaults.
 *
 * @param config an object as in config.json
 * @param options `acceptKeys`: unknown keys that may be ignored
 * @throws naming every setting that is not what it should be, such as an unknown hidden_act, and every unknown key
 */
export function parseCLIPTextConfig(config: unknown, options: ConfigOptions = {}): CLIPTextConfig {
  return parseConfig({ name: "CLIPTextConfig", schema: textConfig, harmless, neutral }, config, options);
}

/**
 * Checks the settings of a vision tower and fills in defaults.
 *
 * @param config an object as in config.json
 * @param options `acceptKeys`: unknown keys that may be ignored
 * @throws naming every setting that is not what it should be, such as an unknown hidden_act, and every unknown key
 */
export function parseCLIPVisionConfig(config: unknown, options: ConfigOptions = {}): CLIPVisionConfig {
  return parseConfig({ name: "CLIPVisionConfig", schema: visionConfig, harmless, neutral }, config, options);
}

/**
 * Checks the settings of a whole CLIP model and fills in defaults. As in transformers, a tower's settings in the older
 * `text_config_dict` and `vision_config_dict`, with their defaults, win over those in `text_config` and `vision_config`. The
 * towers' projection_dim is made the model's, so that a tower with projection loads from the folder too.
 *
 * @param config an object as in config.json
 * @param options `acceptKeys`: unknown keys that may be ignored
 * @throws naming every setting that is not what it should be, and every unknown key
 */
export function parseCLIPConfig(config: unknown, options: ConfigOptions = {}): CLIPConfig {
  const { text_config, vision_config, text_config_dict, vision_config_dict, ...rest } = parseConfig(
    { name: "CLIPConfig", schema: clipConfig, harmless, neutral },
    config,
    options,
  );
  const { projection_dim } = rest;
  return {
    ...rest,
    text_config: {
      ...tower(parseCLIPTextConfig, "text_config", text_config, text_config_dict, options),
      projection_dim,
    },
    vision_config: {
      ...tower(parseCLIPVisionConfig, "vision_config", vision_config, vision_config_dict, options),
      projection_dim,
    },
  };
}

function tower<T extends object>(
  parse: (config: unknown, options: ConfigOptions) => T,
  at: string,
  config: Record<string, unknown> | null | undefined,
  dict: Record<string, unknown> | null | undefined,
  options: ConfigOptions,
): T {
  const overrides = dict ? parse(dict, { ...options, at: `${at}_dict` }) : {};
  return parse({ ...config, ...overrides }, { ...options, at });
}

/** A vision tower's settings from a folder of its own, or of the whole model, whose projection_dim is the tower's then. */
export function parseVisionForm({ config, whole, how }: FormConfig): CLIPVisionConfig {
  return whole ? parseCLIPConfig(config, how).vision_config : parseCLIPVisionConfig(config, how);
}

/** A text tower's settings, as {@link parseVisionForm} gives a vision tower's. */
export function parseTextForm({ config, whole, how }: FormConfig): CLIPTextConfig {
  return whole ? parseCLIPConfig(config, how).text_config : parseCLIPTextConfig(config, how);
}
