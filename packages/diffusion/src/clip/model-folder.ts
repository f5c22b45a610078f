import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readWeights, type StateDict, writeSafetensors } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/**
 * Reads a JSON file of a model folder.
 *
 * @param folder the model folder
 * @param name the file in it, for example `config.json`
 * @param what who reads it, for the error
 * @throws if it is missing or not JSON
 */
export async function readModelJson(
  folder: string,
  name: string,
  what: string,
): Promise<Record<string, unknown>> {
  const path = join(folder, name);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new Error(`${what}: expected a model folder with ${name}, but ${path} does not exist`);
  }
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new Error(`${what}: ${path} is not valid JSON: ${(error as Error).message}`);
  }
}

/**
 * Reads model.safetensors, whole or in shards, without the buffers of positions that older checkpoints hold.
 *
 * @param folder the model folder
 * @returns the weights; the caller disposes them
 */
export async function readModelWeights(folder: string): Promise<StateDict> {
  const weights = await readWeights(folder, "model");
  for (const name of Object.keys(weights)) {
    if (!name.endsWith("embeddings.position_ids")) continue;
    weights[name]!.dispose();
    delete weights[name];
  }
  return weights;
}

/**
 * Writes a Hugging Face model folder: model.safetensors and other files. Each file is written beside its place and
 * renamed, the weights first, so that a reader never sees half a file.
 *
 * @param folder the model folder; made if it is missing
 * @param weights disposed when written
 * @param files the other files by name, config.json among them; an object is written as JSON, bytes as they are
 */
export async function writeModelFolder(
  folder: string,
  weights: StateDict,
  files: Record<string, Record<string, unknown> | Uint8Array>,
): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await writeSafetensors(join(folder, "model.safetensors"), weights, { metadata: { format: "pt" } });
  } finally {
    tf.dispose(weights);
  }
  // A sharded checkpoint's index in this folder would now be stale, and transformers prefers model.safetensors anyway.
  await rm(join(folder, "model.safetensors.index.json"), { force: true });
  for (const [name, value] of Object.entries(files)) {
    const content = value instanceof Uint8Array ? value : `${JSON.stringify(value, null, 2)}\n`;
    await writeAtomically(join(folder, name), content);
  }
}

/** The settings as saved: weights are written as float32, whatever the checkpoint had. */
export function savedConfig(config: Record<string, unknown>): Record<string, unknown> {
  const saved: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    const nested = key === "text_config" || key === "vision_config";
    if (key === "dtype" || key === "torch_dtype") saved[key] = "float32";
    else saved[key] = nested && value ? savedConfig(value as Record<string, unknown>) : value;
  }
  return saved;
}

async function writeAtomically(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
