import {
  type Module,
  parseConfig,
  type Random,
  readModelJson,
  readWeights,
  type StateDict,
  writeFileAtomically,
  writeSafetensors,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { checkOptions, checkText, describe } from "../shared/check-options.js";
import { addLoRA, type LoRA } from "./lora.js";
import type { LoRAOptions } from "./lora-options.js";
import { patternTest } from "./pattern.js";

const texts = z.union([z.string(), z.array(z.string())]);
const numbers = z.record(z.string(), z.number());

const format = {
  name: "LoraConfig",
  schema: z.object({
    peft_type: z.literal("LORA"),
    r: z.number().default(8),
    lora_alpha: z.number().default(8),
    lora_dropout: z.number().default(0),
    use_rslora: z.boolean().default(false),
    bias: z.enum(["none", "all", "lora_only"]).default("none"),
    target_modules: texts,
    exclude_modules: texts.nullish(),
    layers_to_transform: z.union([z.number(), z.array(z.number())]).nullish(),
    layers_pattern: texts.nullish(),
    rank_pattern: numbers.nullish(),
    alpha_pattern: numbers.nullish(),
  }),
  harmless: [
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "task_type",
  ],
  // Other ways to draw the first values change the weights of the base model too.
  neutral: {
    init_lora_weights: [true, false, "gaussian"],
    loftq_config: [{}, null],
    modules_to_save: [null, []],
    layer_replication: [null],
    target_parameters: [null, []],
    trainable_token_indices: [null],
    fan_in_fan_out: [false],
    lora_bias: [false],
    use_dora: [false],
    use_qalora: [false],
  },
};

/** How {@link saveAdapter} writes. */
export interface SaveAdapterOptions {
  /** The folder or hub id of the model that the adapters belong to, for `base_model_name_or_path`. Default none. */
  baseModel?: string;
  /** The branch, tag or commit of that hub id, for `revision`. Default none. */
  revision?: string;
}

/**
 * Writes adapters as peft does: adapter_model.safetensors and adapter_config.json, each whole or not at all. `target_modules`
 * lists the adapted layers by their whole paths, so that peft adapts the same ones in any model that has them.
 *
 * @param lora the adapters, which stay as they are
 * @param folder made if it is missing
 *
 * @example
 * await saveAdapter(lora, "run/adapter", { baseModel: "openai/clip-vit-large-patch14" });
 * // Python: PeftModel.from_pretrained(CLIPModel.from_pretrained("openai/clip-vit-large-patch14"), "run/adapter")
 */
export async function saveAdapter(
  lora: LoRA,
  folder: string,
  options: SaveAdapterOptions = {},
): Promise<void> {
  checkText("saveAdapter: folder", folder);
  const given = checkOptions("saveAdapter", options, { baseModel: true, revision: true });
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== "string") {
      throw new TypeError(`saveAdapter: ${name} must be a string, got ${describe(value)}`);
    }
  }
  const { rank, alpha, dropout, useRslora, bias, rankPattern, alphaPattern } = lora.options;
  const config = {
    alpha_pattern: alphaPattern,
    base_model_name_or_path: given.baseModel ?? null,
    bias,
    exclude_modules: null,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: alpha,
    lora_bias: false,
    lora_dropout: dropout,
    modules_to_save: null,
    peft_type: "LORA",
    r: rank,
    rank_pattern: rankPattern,
    ...(given.revision !== undefined && { revision: given.revision }),
    target_modules: lora.targets.map(({ path }) => path),
    task_type: null,
    use_dora: false,
    use_rslora: useRslora,
  };
  const weights = lora.stateDict();
  try {
    await writeSafetensors(`${folder}/adapter_model.safetensors`, weights, { metadata: { format: "pt" } });
  } finally {
    tf.dispose(weights);
  }
  await writeFileAtomically(`${folder}/adapter_config.json`, `${JSON.stringify(config, null, 2)}\n`);
}

/** How {@link loadAdapter} reads. */
export interface LoadAdapterOptions {
  /**
   * Only this part of the model is adapted, for example `vision_model`. Default: all of the model; with bias `"all"` the part that the
   * folder's tensors lie in.
   */
  within?: string;
  /** Dropout while training, in place of the folder's. */
  dropout?: number;
  /** Source of the dropout masks. Default `new Random(0)`. */
  random?: Random;
  /** Unknown keys of adapter_config.json that may be ignored. Default none. */
  acceptKeys?: readonly string[];
}

/**
 * Adds the adapters of a folder that peft or {@link saveAdapter} wrote to a model.
 *
 * @param model the model that they belong to, with its weights
 * @param folder with adapter_config.json and adapter_model.safetensors
 * @returns the adapters, with `parameters()` that can be trained on
 * @throws if a file is missing, a setting changes the result and is not supported, or the tensors are not those of the layers
 *   that the settings select; the model is unchanged then
 *
 * @example
 * const lora = await loadAdapter(clip, "run/adapter");
 * lora.merge();
 */
export async function loadAdapter(
  model: Module,
  folder: string,
  options: LoadAdapterOptions = {},
): Promise<LoRA> {
  const { within, dropout, random, acceptKeys } = checkOptions("loadAdapter", options, {
    within: true,
    dropout: true,
    random: true,
    acceptKeys: true,
  });
  const file = `${folder}/adapter_config.json`;
  const raw = await readModelJson(folder, "adapter_config.json", "loadAdapter");
  const config = parseConfig(format, raw, { file, acceptKeys });
  const weights = await readWeights(folder, "adapter_model", { finite: true });
  const layers = Object.keys(weights)
    .flatMap((name) => /^base_model\.model\.(.+)\.lora_A\.weight$/.exec(name)?.[1] ?? [])
    .filter((path) => within === undefined || path === within || path.startsWith(`${within}.`));
  try {
    const lora = addLoRA(model, {
      rank: config.r,
      alpha: config.lora_alpha,
      dropout: dropout ?? config.lora_dropout,
      useRslora: config.use_rslora,
      bias: config.bias,
      targetModules: config.target_modules,
      excludeModules: absent(config.exclude_modules),
      layersToTransform: absent(config.layers_to_transform),
      layersPattern: absent(config.layers_pattern),
      rankPattern: usedPatterns("rank_pattern", config.rank_pattern, layers),
      alphaPattern: usedPatterns("alpha_pattern", config.alpha_pattern, layers),
      within: within ?? (config.bias === "all" ? commonPath(Object.keys(weights)) : undefined),
      random,
    } satisfies LoRAOptions);
    try {
      return lora.loadStateDict(currentNames(weights, lora));
    } catch (error) {
      lora.remove();
      throw error;
    }
  } catch (error) {
    throw new Error(`loadAdapter: ${folder}: ${(error as Error).message}`, { cause: error });
  } finally {
    tf.dispose(weights);
  }
}

/** The patterns that match one of the layers, the file's own. peft keeps others too, and they change nothing. */
function usedPatterns(
  name: string,
  patterns: Record<string, number> | null | undefined,
  layers: readonly string[],
): Record<string, number> {
  const isUsed = ([key]: [string, number]) => layers.some(patternTest(name, key));
  return Object.fromEntries(Object.entries(patterns ?? {}).filter(isUsed));
}

/** peft writes an empty list where nothing was given. */
function absent<T>(value: T | null | undefined): T | undefined {
  return value === null || (Array.isArray(value) && value.length === 0) ? undefined : value;
}

/**
 * The part of the model that all tensors of an adapter lie in. Adapters of one part save the biases of that part, and peft's settings do
 * not say which part that is.
 */
function commonPath(names: readonly string[]): string {
  const paths = names.map((name) =>
    name
      .slice(prefix.length)
      .replace(/\.(lora_[AB]\.weight|(base_layer\.)?\w+)$/, "")
      .split("."),
  );
  const [first = [], ...others] = paths;
  const end = first.findIndex((key, at) => others.some((path) => path[at] !== key));
  return (end < 0 ? first : first.slice(0, end)).join(".");
}

/** peft puts this before every path. */
const prefix = "base_model.model.";

/** Older versions of peft name the bias of an adapted layer `<path>.bias`. */
function currentNames(weights: StateDict, lora: LoRA): StateDict {
  return Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => {
      const owner = name.slice(prefix.length, -".bias".length);
      const old = name.endsWith(".bias") && lora.layers.has(owner);
      return [old ? `${prefix}${owner}.base_layer.bias` : name, weight];
    }),
  );
}
