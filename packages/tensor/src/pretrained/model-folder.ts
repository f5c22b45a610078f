import * as tf from "@tensorflow/tfjs-core";
import { readWeights, writeSafetensors } from "../io/files.js";
import type { ReadOptions, SerializeOptions } from "../io/safetensors.js";
import { writeFileAtomically } from "../io/write-file-atomically.js";
import type { StateDict } from "../nn/module.js";

const floatSettings = [
  "attention_dropout",
  "dropout",
  "initializer_factor",
  "initializer_range",
  "layer_norm_eps",
  "logit_scale_init_value",
];

/**
 * Reads a file of a model folder, if it is there. Node alone.
 *
 * @param folder the model folder
 * @param name the file in it
 * @returns its bytes, or undefined where there is no such file
 */
export async function readModelFile(folder: string, name: string): Promise<Uint8Array | undefined> {
  try {
    return await nodeFiles().readFile(`${folder}/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Reads a JSON file of a model folder. Node alone.
 *
 * @param folder the model folder
 * @param name the file in it, for example `config.json`
 * @param what who reads it, for the error
 * @throws if it is missing, or not a JSON object
 */
export async function readModelJson(
  folder: string,
  name: string,
  what: string,
): Promise<Record<string, unknown>> {
  const bytes = await readModelFile(folder, name);
  const path = `${folder}/${name}`;
  if (!bytes) throw new Error(`${what}: expected a model folder with ${name}, but ${path} does not exist`);
  return parseJsonObject(bytes, path, what);
}

/**
 * Parses the bytes of a JSON file.
 *
 * @param path the file's name, for the error
 * @param what who reads it, for the error
 * @throws if it is not a JSON object
 */
export function parseJsonObject(bytes: Uint8Array, path: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new Error(`${what}: ${path} is not valid JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${what}: ${path} must hold a JSON object, got ${JSON.stringify(value).slice(0, 40)}`);
  }
  return value as Record<string, unknown>;
}

/**
 * Reads model.safetensors, whole or in shards, without the buffers of positions that older checkpoints hold. Node alone.
 *
 * @param folder the model folder
 * @param options how they are stored
 * @returns the weights; the caller disposes them
 */
export async function readModelWeights(folder: string, options: ReadOptions = {}): Promise<StateDict> {
  const weights = await readWeights(folder, "model", options);
  for (const name of Object.keys(weights)) {
    if (!name.endsWith("embeddings.position_ids")) continue;
    weights[name]!.dispose();
    delete weights[name];
  }
  return weights;
}

/**
 * Writes a transformers model folder: model.safetensors, config.json and what else belongs to it. Each file is written
 * whole or not at all, config.json last. Node alone.
 *
 * @param folder the model folder; made if it is missing
 * @param weights disposed when written
 * @param config the settings; their dtype is made that of the weights
 * @param options dtype: how the weights are stored, default F32; files: other files by name
 */
export async function writeModelFolder(
  folder: string,
  weights: StateDict,
  config: Record<string, unknown>,
  options: Pick<SerializeOptions, "dtype"> & { files?: Record<string, Uint8Array> } = {},
): Promise<void> {
  const { dtype = "F32", files = {} } = options;
  try {
    await writeSafetensors(`${folder}/model.safetensors`, weights, { dtype, metadata: { format: "pt" } });
  } finally {
    tf.dispose(weights);
  }
  // The index of a sharded checkpoint that was here before would now name shards that are not the model's.
  await nodeFiles().rm(`${folder}/model.safetensors.index.json`, { force: true });
  for (const [name, bytes] of Object.entries(files)) await writeFileAtomically(`${folder}/${name}`, bytes);
  const saved = withDtype(config, dtype === "F16" ? "float16" : "float32");
  await writeFileAtomically(`${folder}/config.json`, configJson(saved));
}

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

/** Asked for when a file is first touched, so that bundlers for browsers find nothing to resolve. */
function nodeFiles(): typeof import("node:fs/promises") {
  const files = globalThis.process?.getBuiltinModule?.("node:fs/promises");
  if (!files) {
    throw new Error(
      "model folders are read and written in Node alone; elsewhere use the constructors and loadStateDict",
    );
  }
  return files;
}
