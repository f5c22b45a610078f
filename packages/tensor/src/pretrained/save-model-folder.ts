import * as tf from "@tensorflow/tfjs-core";
import { safetensorsChunks } from "../io/safetensors.js";
import { type StagedFile, stageFile } from "../io/write-file-atomically.js";
import type { Module } from "../nn/module.js";
import { checkChoice, checkText } from "../shared/check-options.js";
import { nodeModule } from "../shared/node-modules.js";
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
}

/**
 * Writes a model folder as transformers or diffusers does. All files are written beside their places first; then config.json is
 * removed, the others take their places, files of former weights (shards, index, variants) are removed, and config.json comes
 * last. So a folder holds the old model or the new one; one that a kill interrupted between the two has no config.json, and is
 * refused by every reader. Node only.
 *
 * @param folder made if it is missing; files of other names stay
 * @throws while adapters are in place, and where a weight is missing, is not the model's or has another shape; where a file cannot be
 * written, naming it. The folder is then as it was; but where a file can be written and not put in its place, it has no config.json.
 */
export async function saveModelFolder(model: Module, folder: string, parts: ModelFolder): Promise<void> {
  const { baseName, config, like, files = {}, dtype = "F32" } = parts;
  const caller = `${model.constructor.name}.savePretrained`;
  checkText(`${caller}: folder`, folder);
  checkChoice(`${caller}: dtype`, dtype, ["F32", "F16", "BF16"]);
  checkComplete(caller, model, like);
  const { join } = nodeModule("node:path");
  const { readdir, rm } = nodeModule("node:fs/promises");
  const weights = `${baseName}.safetensors`;
  const configFile = join(folder, "config.json");

  const staged: StagedFile[] = [];
  try {
    for (const name of [...Object.keys(files), weights, "config.json"]) {
      await refuseFolder(join(folder, name));
    }
    for (const [name, bytes] of Object.entries(files))
      staged.push(await stageFile(join(folder, name), bytes));
    const state = model.stateDict();
    try {
      const chunks = safetensorsChunks(caller, state, { dtype, metadata: { format: "pt" } });
      staged.push(await stageFile(join(folder, weights), chunks));
    } finally {
      tf.dispose(state);
    }
    // Committed last.
    staged.push(await stageFile(configFile, configJson(withDtype(config, torchNames[dtype]))));
  } catch (error) {
    for (const file of staged) await file.discard();
    throw error;
  }
  let committed = 0;
  try {
    await rm(configFile, { force: true });
    const former = (await readdir(folder)).filter(
      (name) => name !== weights && isWeightsFile(name, baseName),
    );
    for (; committed < staged.length - 1; committed++) await staged[committed]!.commit();
    for (const name of former) await rm(join(folder, name), { force: true });
    await staged[committed]!.commit();
  } catch (error) {
    for (const file of staged.slice(committed)) await file.discard();
    throw error;
  }
}

/** A file cannot take the place of a folder: to be known before anything of the former model is removed. */
async function refuseFolder(path: string): Promise<void> {
  const stats = await nodeModule("node:fs/promises")
    .lstat(path)
    .catch(() => undefined);
  if (stats?.isDirectory()) throw new Error(`${path}: could not be written (a folder is in its place)`);
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
