import type { FileHandle } from "node:fs/promises";
import type * as tf from "@tensorflow/tfjs-core";
import type { StateDict } from "../nn/module.js";
import {
  decodeTensor,
  headerLength,
  parseHeader,
  type SafetensorsInfo,
  type SerializeOptions,
  serializeSafetensors,
} from "./safetensors.js";

// Loaded on use, so that a browser's bundle never asks for them.
const fs = () => import("node:fs/promises");
const paths = () => import("node:path");

/** A safetensors file whose tensors are read one by one, for files larger than memory. */
export interface SafetensorsReader {
  keys(): string[];
  info(name: string): SafetensorsInfo;
  metadata: Record<string, string>;
  /** Reads one tensor; the caller disposes it. */
  tensor(name: string): Promise<tf.Tensor>;
  close(): Promise<void>;
}

async function readRange(file: FileHandle, from: number, length: number, path: string): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, from + done);
    if (bytesRead === 0) {
      throw new Error(`${path}: truncated, ${length} bytes expected at ${from}, got ${done}`);
    }
    done += bytesRead;
  }
  return bytes.buffer;
}

/** Opens a file and reads its header alone. The caller closes it. */
export async function openSafetensors(path: string): Promise<SafetensorsReader> {
  const { open } = await fs();
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${path}: ${error.code === "ENOENT" ? "no such file" : error.message}`);
  });
  try {
    const { size } = await file.stat();
    const length = headerLength(await readRange(file, 0, Math.min(8, size), path), size, path);
    const json = new TextDecoder().decode(await readRange(file, 8, length, path));
    const { tensors, metadata } = parseHeader(json, size - 8 - length, path);
    const info = (name: string) => {
      if (!tensors[name]) throw new Error(`${path}: has no tensor "${name}"`);
      return tensors[name];
    };
    return {
      keys: () => Object.keys(tensors),
      info,
      metadata,
      tensor: async (name) => {
        const [begin, end] = info(name).data_offsets;
        return decodeTensor(name, info(name), await readRange(file, 8 + length + begin, end - begin, path), path);
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Every tensor of a file; the caller disposes them. */
export async function readSafetensors(path: string): Promise<StateDict> {
  const reader = await openSafetensors(path);
  const dict: StateDict = {};
  try {
    for (const name of reader.keys()) dict[name] = await reader.tensor(name);
  } catch (error) {
    for (const tensor of Object.values(dict)) tensor.dispose();
    throw error;
  } finally {
    await reader.close();
  }
  return dict;
}

/**
 * The weights of a Hugging Face folder: `<baseName>.safetensors`, or the shards that
 * `<baseName>.safetensors.index.json` lists. The caller disposes them.
 */
export async function readWeights(folder: string, baseName: string): Promise<StateDict> {
  const { readFile, stat } = await fs();
  const { join } = await paths();
  const exists = (path: string) =>
    stat(path).then(
      () => true,
      () => false,
    );
  if (!(await exists(folder))) throw new Error(`${folder}: no such folder`);
  const single = join(folder, `${baseName}.safetensors`);
  if (await exists(single)) return readSafetensors(single);
  const index = join(folder, `${baseName}.safetensors.index.json`);
  if (!(await exists(index))) {
    throw new Error(`${folder}: has neither ${baseName}.safetensors nor ${baseName}.safetensors.index.json`);
  }
  const { weight_map } = JSON.parse(await readFile(index, "utf8")) as { weight_map: Record<string, string> };
  const dict: StateDict = {};
  for (const shard of new Set(Object.values(weight_map))) {
    Object.assign(dict, await readSafetensors(join(folder, shard)));
  }
  return dict;
}

/**
 * Writes a whole file or nothing: to a temporary file beside it, flushed to disk, then renamed.
 */
export async function writeFileAtomically(path: string, contents: Uint8Array | string): Promise<void> {
  const { mkdir, open, rename, rm } = await fs();
  const { dirname } = await paths();
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(temporary, "w");
    try {
      await file.writeFile(contents);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new Error(`${path}: could not be written (${(error as Error).message})`);
  }
}

/** Writes tensors as a safetensors file, whole or not at all; the caller keeps the tensors. */
export async function writeSafetensors(path: string, dict: StateDict, options: SerializeOptions = {}): Promise<void> {
  await writeFileAtomically(path, await serializeSafetensors(dict, options));
}
