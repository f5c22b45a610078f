import {
  type Module,
  parseConfig,
  type Random,
  readModelJson,
  readWeights,
  type StateDict,
  serializeSafetensors,
  writeFolder,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { BypassedLinear } from "../bypassed-linear.js";
import { checkOptions, checkText, describe } from "../shared/check-options.js";
import { attachLoRA, type LoRA } from "./lora.js";
import { checkLoRAOptions, type LoRAOptions } from "./lora-options.js";
import { isSibling, namesOf, PEFT_PREFIX, type PeftNames } from "./peft-names.js";
import { namedModules } from "./target-modules.js";

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
  neutral: {
    // These draw the first factors and no more; "pissa", "olora", "loftq", "corda" and "lora_ga" change the weights of the base too.
    init_lora_weights: [true, false, "gaussian", "orthogonal"],
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
 * Writes adapters as peft does, adapter_model.safetensors and adapter_config.json, both or neither; the weights of former adapters are
 * removed. `target_modules` lists the adapted layers by their whole paths, so that peft adapts the same ones in any model that has them.
 *
 * Paths are those of the class that the model's folder holds: adapters of a `CLIPVisionModel`, `CLIPTextModel`, `SiglipVisionModel` or
 * `SiglipTextModel` from a folder of its own have transformers 5's, without `vision_model.` or `text_model.`; adapters of a tower that
 * was read from a whole model's folder belong to the whole model.
 *
 * @param lora the adapters, which stay as they are
 * @param folder made if it is missing
 * @throws where a factor or bias is not finite, naming it, and after {@link LoRA.merge} or {@link LoRA.remove}; nothing is written then
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
  const { inFile } = lora.fileNames;
  const paths = lora.targets.map(({ path }) => inFile(path));
  // Patterns were written for the paths here; where the file has others, each layer is named.
  const renamed = lora.targets.some(({ path }, index) => path !== paths[index]);
  const byPath = (values: number[], usual: number) =>
    Object.fromEntries(
      paths.flatMap((path, index) => (values[index] === usual ? [] : [[path, values[index]!]])),
    );
  const ranks = lora.targets.map((target) => target.rank);
  const alphas = lora.targets.map((target) => target.alpha);
  const config = {
    alpha_pattern: renamed ? byPath(alphas, alpha) : alphaPattern,
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
    rank_pattern: renamed ? byPath(ranks, rank) : rankPattern,
    ...(given.revision !== undefined && { revision: given.revision }),
    target_modules: paths,
    task_type: null,
    use_dora: false,
    use_rslora: useRslora,
  };
  const weights = lora.stateDict();
  try {
    await writeFolder(folder, {
      files: {
        "adapter_model.safetensors": await serializeSafetensors(weights, {
          metadata: { format: "pt" },
          finite: true,
        }),
        "adapter_config.json": `${JSON.stringify(config, null, 2)}\n`,
      },
      key: "adapter_config.json",
      isFormer: (name) => name === "adapter_model.bin",
    });
  } catch (error) {
    throw new Error(`saveAdapter: ${(error as Error).message}`, { cause: error });
  } finally {
    tf.dispose(weights);
  }
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
 * Of adapters of a whole model, a tower takes its own and leaves the rest in the file; so does `within`. A tower's paths may begin with
 * `vision_model.` or `text_model.`, as in transformers 4, or not, as in transformers 5.
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
  try {
    const names = namesOf(model, Object.keys(weights));
    const { dict, biases } = await ownTensors(model, weights, { names, within });
    const part = config.bias === "all" ? names.inModel(commonPath(Object.keys(dict))) : "";
    const checked = checkLoRAOptions({
      rank: config.r,
      alpha: config.lora_alpha,
      dropout: dropout ?? config.lora_dropout,
      useRslora: config.use_rslora,
      bias: config.bias,
      targetModules: config.target_modules,
      excludeModules: absent(config.exclude_modules),
      layersToTransform: absent(config.layers_to_transform),
      layersPattern: absent(config.layers_pattern),
      rankPattern: config.rank_pattern ?? undefined,
      alphaPattern: config.alpha_pattern ?? undefined,
      within: within ?? part.replace(/\.$/, ""),
      random,
    } satisfies LoRAOptions);
    const lora = attachLoRA(model, checked, { pathOf: names.inFile, isFile: true, biases });
    try {
      return lora.loadStateDict(currentNames(dict, lora, names));
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

/** peft writes an empty list, or an empty text, where nothing was given. */
function absent<T>(value: T | null | undefined): T | undefined {
  const empty = value === "" || (Array.isArray(value) && value.length === 0);
  return value === null || empty ? undefined : value;
}

/**
 * The tensors of a file that are a model's: not those of parts that it does not have, nor those outside `within`, nor the factors of
 * layers that PyTorch reads past their adapters. The biases of such layers count, and are named as other biases that train.
 *
 * @throws where the factors of such a layer are not zero: they would change what merged weights compute, and nothing before
 */
async function ownTensors(
  model: Module,
  weights: StateDict,
  { names, within = "" }: { names: PeftNames; within: string | undefined },
): Promise<{ dict: StateDict; biases: Set<string> }> {
  const bypassed = new Set(
    Array.from(namedModules(model)).flatMap(([path, module]) =>
      module instanceof BypassedLinear ? [path] : [],
    ),
  );
  const dict: StateDict = {};
  const biases = new Set<string>();
  for (const [name, weight] of Object.entries(weights)) {
    const path = name.startsWith(PEFT_PREFIX) ? name.slice(PEFT_PREFIX.length) : "";
    const inModel = names.inModel(path);
    if (path !== "" && isSibling(model, inModel)) continue;
    if (within !== "" && !inModel.startsWith(`${within}.`)) continue;
    const [, owner = "", end = ""] = /^(.+?)\.(lora_[AB]\.weight|(?:base_layer\.)?bias)$/.exec(path) ?? [];
    if (!bypassed.has(names.inModel(owner))) dict[name] = weight;
    else if (end.endsWith("bias")) {
      dict[`${PEFT_PREFIX}${owner}.bias`] = weight;
      biases.add(names.inModel(`${owner}.bias`));
    } else if (end === "lora_B.weight" && !(await weight.data()).every((value) => value === 0)) {
      throw new Error(
        `"${name}" must be 0, because PyTorch's MultiheadAttention reads the layer's weight past its adapter`,
      );
    }
  }
  return { dict, biases };
}

/**
 * The part of the model that all tensors of an adapter lie in. Adapters of one part save the biases of that part, and peft's settings do
 * not say which part that is.
 */
function commonPath(names: readonly string[]): string {
  const paths = names.map((name) =>
    name
      .slice(PEFT_PREFIX.length)
      .replace(/\.(lora_[AB]\.weight|(base_layer\.)?\w+)$/, "")
      .split("."),
  );
  const [first = [], ...others] = paths;
  const end = first.findIndex((key, at) => others.some((path) => path[at] !== key));
  return (end < 0 ? first : first.slice(0, end)).join(".");
}

/** Older versions of peft name the bias of an adapted layer `<path>.bias`. */
function currentNames(weights: StateDict, lora: LoRA, { inModel }: PeftNames): StateDict {
  return Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => {
      const owner = name.slice(PEFT_PREFIX.length, -".bias".length);
      const old = name.endsWith(".bias") && lora.layers.has(inModel(owner));
      return [old ? `${PEFT_PREFIX}${owner}.base_layer.bias` : name, weight];
    }),
  );
}
