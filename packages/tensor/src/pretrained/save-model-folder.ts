import * as tf from "@tensorflow/tfjs-core";
import { safetensorsChunks } from "../io/safetensors.js";
import { writeFolder } from "../io/write-folder.js";
import type { Module } from "../nn/module.js";
import { checkChoice, checkOptions, checkText } from "../shared/check-options.js";
import { shown } from "../shared/shown.js";
import { isWeightsFile } from "./weights-files.js";

/** How `savePretrained` writes a model. */
export interface SavePretrainedOptions {
  /** How the weights are stored. Default "F32". */
  dtype?: "F32" | "F16" | "BF16";
}

/** The parts of a model's folder. */
export interface ModelFolder extends SavePretrainedOptions {
  /** The weights' file without its ending: `"model"` in transformers' folders, `"diffusion_pytorch_model"` in diffusers'. */
  baseName: "model" | "diffusion_pytorch_model";
  /** The contents of config.json. Where it names a dtype, at the top or for a tower, it is made that of the weights. */
  config: Record<string, unknown>;
  /** A new model of these settings, without weights: what is saved must have its weights, no more and no fewer. */
  like: Module;
  /** Other files by name, such as a tokenizer's. */
  files?: Record<string, Uint8Array>;
  /**
   * Names that files of such a model may have. Where there are `files`, one that they lack would be another model's, and is removed; a
   * model without any leaves those of the folder. Default none.
   */
  companions?: readonly string[];
}

/**
 * Writes a model folder as transformers or diffusers does, by {@link writeFolder} with config.json as its key. Files of former weights
 * (shards, index, variants) are removed, and those of `companions` that `files` lacks where it has any. Node only.
 *
 * @param folder made if it is missing; files of other names stay
 * @throws on an unknown part; while adapters are in place; where a weight is missing, is not the model's, has another shape, or has a
 * value that is not finite as `dtype` stores it; where a file cannot be written, naming it. The folder is then as it was; but where a
 * file can be written and not put in its place, it has no config.json.
 */
export async function saveModelFolder(model: Module, folder: string, parts: ModelFolder): Promise<void> {
  const caller = `${model.constructor.name}.savePretrained`;
  const given = checkOptions<ModelFolder>(caller, parts, {
    baseName: true,
    config: true,
    like: true,
    files: true,
    companions: true,
    dtype: true,
  });
  const { baseName, config, like, files = {}, companions = [], dtype = "F32" } = given;
  checkText(`${caller}: folder`, folder);
  checkChoice(`${caller}: dtype`, dtype, ["F32", "F16", "BF16"]);
  checkChoice(`${caller}: baseName`, baseName, ["model", "diffusion_pytorch_model"]);
  checkComplete(caller, model, like);
  const state = model.stateDict();
  try {
    await writeFolder(folder, {
      files: {
        ...files,
        [`${baseName}.safetensors`]: safetensorsChunks(caller, state, {
          dtype,
          metadata: { format: "pt" },
          finite: true,
        }),
        "config.json": configJson(withDtype(config, torchNames[dtype])),
      },
      key: "config.json",
      isFormer: (name) =>
        isWeightsFile(name, baseName) || (Object.keys(files).length > 0 && companions.includes(name)),
    });
  } finally {
    tf.dispose(state);
  }
}

const torchNames = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** A saved model must load again as the same one: its weights must be those of a new model of its settings. */
function checkComplete(caller: string, model: Module, like: Module): void {
  const adapter = adapterOf(model);
  if (adapter !== undefined) {
    throw new Error(`${caller}: merge or remove the adapters first; one is in place at ${shown(adapter)}`);
  }
  const expected = new Map(like.namedParameters());
  for (const [name, parameter] of model.namedParameters()) {
    const other = expected.get(name);
    if (!other) {
      throw new Error(
        `${caller}: weight ${shown(name)} is not one of a ${like.constructor.name} of these settings`,
      );
    }
    expected.delete(name);
    if (String(parameter.stateShape) !== String(other.stateShape)) {
      throw new Error(
        `${caller}: weight ${shown(name)} has shape [${parameter.stateShape}], by its settings expected [${other.stateShape}]`,
      );
    }
    if (!parameter.isMaterialized) {
      throw new Error(
        `${caller}: weight ${shown(name)} has no value; call initialize() or load weights first`,
      );
    }
  }
  const [missing] = expected.keys();
  if (missing !== undefined) throw new Error(`${caller}: weight ${shown(missing)} is missing`);
}

/** The path of the first module that stands in for a layer until it is merged. */
function adapterOf(model: Module, prefix = ""): string | undefined {
  for (const [name, child] of model.children()) {
    if (child.isAdapter) return prefix + name;
    const found = adapterOf(child, `${prefix}${name}.`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const floatSettings = [
  "attention_dropout",
  "dropout",
  "initializer_factor",
  "initializer_range",
  "layer_norm_eps",
  "logit_scale_init_value",
];

/**
 * The settings as JSON in which a float is written as one: JavaScript writes 1.0 as `1`, which transformers 5 refuses
 * where its configuration says float.
 */
function configJson(config: Record<string, unknown>): string {
  const whole = new RegExp(`^(\\s*"(?:${floatSettings.join("|")})": -?\\d+)(,?)$`, "gm");
  return `${JSON.stringify(config, null, 2).replace(whole, "$1.0$2")}\n`;
}

/** Settings that name a dtype, at the top or for a tower, name this one. */
function withDtype(config: Record<string, unknown>, dtype: string): Record<string, unknown> {
  const entries = Object.entries(config).map(([key, value]) => {
    if (key === "dtype" || key === "torch_dtype") return [key, dtype];
    const tower =
      (key === "text_config" || key === "vision_config") && typeof value === "object" && value !== null;
    return [key, tower ? withDtype(value as Record<string, unknown>, dtype) : value];
  });
  return Object.fromEntries(entries);
}
