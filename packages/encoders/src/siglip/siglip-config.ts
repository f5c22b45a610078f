import { type ConfigOptions, multipleOf, parseConfig, transformersKeys, width } from "@dcr-js/tensor";
import { z } from "zod";
import { atLeastOnePatch, textFields, transformerFields, visionFields } from "../transformer-fields.js";

// The defaults are transformers' own: its config.json files leave out what equals them.
const transformer = {
  hidden_size: transformerFields.hidden_size.default(768),
  intermediate_size: transformerFields.intermediate_size.default(3072),
  num_hidden_layers: transformerFields.num_hidden_layers.default(12),
  num_attention_heads: transformerFields.num_attention_heads.default(12),
  hidden_act: transformerFields.hidden_act.default("gelu_pytorch_tanh"),
  layer_norm_eps: transformerFields.layer_norm_eps.default(1e-6),
  attention_dropout: transformerFields.attention_dropout.default(0),
};

const textConfig = z
  .object({
    ...transformer,
    vocab_size: textFields.vocab_size.default(32000),
    max_position_embeddings: textFields.max_position_embeddings.default(64),
    projection_size: width.nullish(),
  })
  .refine(...multipleOf("hidden_size", "num_attention_heads"));

const visionConfig = z
  .object({
    ...transformer,
    num_channels: visionFields.num_channels.default(3),
    image_size: visionFields.image_size.default(224),
    patch_size: visionFields.patch_size.default(16),
  })
  .refine(...multipleOf("hidden_size", "num_attention_heads"))
  .refine(...atLeastOnePatch);

const section = z.record(z.string(), z.unknown()).nullish();
const siglipConfig = z.object({ text_config: section, vision_config: section });

// No class reads "dropout", which transformers 4 wrote.
const harmless = [...transformersKeys, "model_type", "initializer_range", "initializer_factor", "dropout"];
const neutral = { pruned_heads: [{}] };
// Without its head, a vision tower has no feature.
const visionNeutral = { ...neutral, vision_use_head: [true] };

/** Keys that do not change the result are kept as they came. */
type OtherKeys = { [key: string]: unknown };
/** Settings of a SigLIP text tower; names and defaults of transformers' `SiglipTextConfig`. */
export type SiglipTextConfig = Omit<z.infer<typeof textConfig>, "projection_size"> & {
  projection_size: number;
} & OtherKeys;
/** Settings of a SigLIP vision tower; names and defaults of transformers' `SiglipVisionConfig`. */
export type SiglipVisionConfig = z.infer<typeof visionConfig> & OtherKeys;
/** Settings of a whole SigLIP model; names and defaults of transformers' `SiglipConfig`. */
export interface SiglipConfig extends OtherKeys {
  text_config: SiglipTextConfig;
  vision_config: SiglipVisionConfig;
}
/** Settings as a user may give them: what is left out has transformers' defaults. */
export interface SiglipConfigInput extends OtherKeys {
  text_config?: Partial<SiglipTextConfig>;
  vision_config?: Partial<SiglipVisionConfig>;
}

/**
 * Checks the settings of a text tower and fills in defaults.
 *
 * @param config an object as in config.json
 * @param options `acceptKeys`: unknown keys that may be ignored
 * @throws naming every setting that is not what it should be, and every unknown key
 */
export function parseSiglipTextConfig(config: unknown, options: ConfigOptions = {}): SiglipTextConfig {
  const parsed = parseConfig(
    { name: "SiglipTextConfig", schema: textConfig, harmless, neutral },
    config,
    options,
  );
  return { ...parsed, projection_size: parsed.projection_size ?? parsed.hidden_size };
}

/**
 * Checks the settings of a vision tower and fills in defaults.
 *
 * @param config an object as in config.json
 * @param options `acceptKeys`: unknown keys that may be ignored
 * @throws naming every setting that is not what it should be, and every unknown key
 */
export function parseSiglipVisionConfig(config: unknown, options: ConfigOptions = {}): SiglipVisionConfig {
  return parseConfig(
    { name: "SiglipVisionConfig", schema: visionConfig, harmless, neutral: visionNeutral },
    config,
    options,
  );
}

/**
 * Checks the settings of a whole SigLIP model and fills in defaults.
 *
 * @param config an object as in config.json
 * @param options `acceptKeys`: unknown keys that may be ignored
 * @throws naming every setting that is not what it should be, and every unknown key; also where the towers' features differ
 *   in width
 */
export function parseSiglipConfig(config: unknown, options: ConfigOptions = {}): SiglipConfig {
  const parsed = parseConfig(
    { name: "SiglipConfig", schema: siglipConfig, harmless, neutral },
    config,
    options,
  );
  const text = parseSiglipTextConfig(parsed.text_config ?? {}, { ...options, at: "text_config" });
  const vision = parseSiglipVisionConfig(parsed.vision_config ?? {}, { ...options, at: "vision_config" });
  if (text.projection_size !== vision.hidden_size) {
    throw new Error(
      `SiglipConfig: text_config.projection_size must equal vision_config.hidden_size, got ${text.projection_size} and ` +
        `${vision.hidden_size}`,
    );
  }
  return { ...parsed, text_config: text, vision_config: vision };
}
