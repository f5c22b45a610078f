import { parseConfig } from "@dcr-js/tensor";
import { z } from "zod";

// The defaults are transformers' own: its config.json files may leave out what equals them.
const transformer = {
  intermediate_size: z.int().positive(),
  num_hidden_layers: z.int().positive().default(12),
  num_attention_heads: z.int().positive(),
  hidden_act: z.enum(["quick_gelu", "gelu", "gelu_new", "gelu_pytorch_tanh"]).default("quick_gelu"),
  layer_norm_eps: z.number().positive().default(1e-5),
};

const textConfig = z
  .looseObject({
    ...transformer,
    vocab_size: z.int().positive().default(49408),
    hidden_size: z.int().positive().default(512),
    intermediate_size: transformer.intermediate_size.default(2048),
    num_attention_heads: transformer.num_attention_heads.default(8),
    max_position_embeddings: z.int().positive().default(77),
    eos_token_id: z.int().nonnegative().default(49407),
    projection_dim: z.int().positive().default(512),
  })
  .refine(dividesHeads, { error: "hidden_size must be a multiple of num_attention_heads" });

const visionConfig = z
  .looseObject({
    ...transformer,
    hidden_size: z.int().positive().default(768),
    intermediate_size: transformer.intermediate_size.default(3072),
    num_attention_heads: transformer.num_attention_heads.default(12),
    num_channels: z.int().positive().default(3),
    image_size: z.int().positive().default(224),
    patch_size: z.int().positive().default(32),
    projection_dim: z.int().positive().default(512),
  })
  .refine(dividesHeads, { error: "hidden_size must be a multiple of num_attention_heads" })
  .refine(({ image_size, patch_size }) => image_size >= patch_size, {
    error: "image_size must be at least patch_size",
  });

const clipConfig = z.looseObject({
  projection_dim: z.int().positive().default(512),
  logit_scale_init_value: z.number().default(2.6592),
  text_config: z.unknown().optional(),
  vision_config: z.unknown().optional(),
});

/** Settings of a CLIP text tower; names and defaults of transformers' `CLIPTextConfig`. Other keys are kept. */
export type CLIPTextConfig = z.infer<typeof textConfig>;
/** Settings of a CLIP vision tower; names and defaults of transformers' `CLIPVisionConfig`. Other keys are kept. */
export type CLIPVisionConfig = z.infer<typeof visionConfig>;
/** Settings of a whole CLIP model; names and defaults of transformers' `CLIPConfig`. Other keys are kept. */
export type CLIPConfig = z.infer<typeof clipConfig> & {
  text_config: CLIPTextConfig;
  vision_config: CLIPVisionConfig;
};
/** Settings as a user may give them: what is left out has transformers' defaults. */
export type CLIPConfigInput = Partial<Omit<CLIPConfig, "text_config" | "vision_config">> & {
  text_config?: Partial<CLIPTextConfig>;
  vision_config?: Partial<CLIPVisionConfig>;
};
/** The part that both towers have in common: a stack of pre-norm transformer layers. */
export type CLIPEncoderConfig = Pick<
  CLIPTextConfig,
  | "hidden_size"
  | "intermediate_size"
  | "num_hidden_layers"
  | "num_attention_heads"
  | "hidden_act"
  | "layer_norm_eps"
>;

/**
 * Checks the settings of a text tower and fills in defaults.
 *
 * @param config an object as in config.json
 * @throws naming every setting that is not what it should be, such as an unknown hidden_act
 */
export function parseCLIPTextConfig(config: unknown): CLIPTextConfig {
  return parseConfig("CLIPTextConfig", textConfig, config);
}

/**
 * Checks the settings of a vision tower and fills in defaults.
 *
 * @param config an object as in config.json
 * @throws naming every setting that is not what it should be, such as an unknown hidden_act
 */
export function parseCLIPVisionConfig(config: unknown): CLIPVisionConfig {
  return parseConfig("CLIPVisionConfig", visionConfig, config);
}

/**
 * Checks the settings of a whole CLIP model and fills in defaults. As in transformers, a tower's settings in the older
 * `text_config_dict` and `vision_config_dict`, with their defaults, win over those in `text_config` and `vision_config`. The
 * towers' projection_dim is made the model's, so that a tower with projection loads from the folder too.
 *
 * @param config an object as in config.json
 * @throws naming every setting that is not what it should be
 */
export function parseCLIPConfig(config: unknown): CLIPConfig {
  const { text_config_dict, vision_config_dict, ...rest } = parseConfig("CLIPConfig", clipConfig, config);
  const { projection_dim } = rest;
  return {
    ...rest,
    text_config: {
      ...parseCLIPTextConfig(merged(rest.text_config, text_config_dict, parseCLIPTextConfig)),
      projection_dim,
    },
    vision_config: {
      ...parseCLIPVisionConfig(merged(rest.vision_config, vision_config_dict, parseCLIPVisionConfig)),
      projection_dim,
    },
  };
}

function merged(config: unknown, dict: unknown, parse: (config: unknown) => object): unknown {
  if (dict === undefined || dict === null) return config ?? {};
  return { ...((config ?? {}) as object), ...parse(dict) };
}

function dividesHeads(config: { hidden_size: number; num_attention_heads: number }): boolean {
  return config.hidden_size % config.num_attention_heads === 0;
}
