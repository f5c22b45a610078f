import type * as tf from "@tensorflow/tfjs-core";
import { checkReadOptions, type ReadOptions } from "../io/decode-tensor.js";
import { openSafetensors, readAll, type SafetensorsReader, type WeightsReader } from "../io/files.js";
import type { StateDict } from "../nn/module.js";
import { checkOptions } from "../shared/check-options.js";
import { parseJson } from "../shared/json.js";
import { nodeModule } from "../shared/node-modules.js";
import { readSmallFile } from "../shared/regular-file.js";
import type { SafetensorsInfo } from "../shared/safetensors-header.js";
import { shown } from "../shared/shown.js";
import { convertFolder } from "./conversion.js";

/** Which of a folder's weights are read, and how. */
export interface WeightsOptions extends ReadOptions {
  /** The variant in the files' names: `"fp16"` for `model.fp16.safetensors`. Default none. */
  variant?: string;
}

/** Index files of the largest models have some 10 MB. */
const largestIndex = 100_000_000;

/** Names of weights files in formats that are not read, with what writes them. */
const otherFormats = [
  { ends: [".bin", ".bin.index.json", ".pt", ".pth"], name: "PyTorch's pickle" },
  { ends: [".ckpt"], name: "a PyTorch checkpoint" },
  { ends: [".msgpack"], name: "Flax" },
  { ends: [".h5"], name: "TensorFlow" },
  { ends: [".onnx"], name: "ONNX" },
];

/** The names of a file of weights, whole or its index, as transformers and diffusers give them. */
export function weightsNames(baseName: string, variant?: string): { single: string; indexes: string[] } {
  if (variant === undefined) {
    return { single: `${baseName}.safetensors`, indexes: [`${baseName}.safetensors.index.json`] };
  }
  if (!/^[\w-]+$/.test(variant)) {
    throw new Error(
      `variant: expected a name of letters, digits, _ and -, such as "fp16", got ${shown(variant)}`,
    );
  }
  return {
    single: `${baseName}.${variant}.safetensors`,
    // transformers and diffusers, then diffusers before 0.31.
    indexes: [
      `${baseName}.safetensors.index.${variant}.json`,
      `${baseName}.${variant}.safetensors.index.json`,
    ],
  };
}

/**
 * Opens the weights of a Hugging Face folder and reads headers only: `<baseName>.safetensors`, or the shards that
 * `<baseName>.safetensors.index.json` lists; of a variant `<baseName>.<variant>.safetensors` or its index. Node only.
 *
 * @param baseName `"model"` in transformers' folders, `"diffusion_pytorch_model"` in diffusers'
 * @throws an error that names the file: no such folder, neither file there, another format (with the command that converts it), an
 * index that is malformed, a shard that is missing or lacks a tensor which the index promises, a tensor in two shards.
 */
export async function openWeights(
  folder: string,
  baseName: string,
  options: WeightsOptions = {},
): Promise<WeightsReader> {
  const { variant, ...others } = checkOptions("openWeights", options, {
    storage: true,
    variant: true,
    finite: "boolean",
  });
  const read = checkReadOptions("openWeights", others);
  const { join } = nodeModule("node:path");
  const names = await listFolder(folder);
  const { single, indexes } = weightsNames(baseName, variant);
  if (names.has(single)) return openSafetensors(join(folder, single), read);
  const index = indexes.find((name) => names.has(name));
  if (index === undefined) throw notThere(folder, names, { baseName, wanted: [single, ...indexes], variant });
  return openShards(folder, join(folder, index), read);
}

async function listFolder(folder: string): Promise<Set<string>> {
  try {
    return new Set(await nodeModule("node:fs/promises").readdir(folder));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const text =
      code === "ENOENT" ? "no such folder" : code === "ENOTDIR" ? "expected a folder, got a file" : message;
    throw new Error(`${folder}: ${text}`, { cause: error });
  }
}

/** Why there are no weights: another variant, another format, or none at all. */
function notThere(
  folder: string,
  names: Set<string>,
  { baseName, wanted, variant }: { baseName: string; wanted: string[]; variant: string | undefined },
): Error {
  const has = `${folder}: has neither ${wanted.join(" nor ")}`;
  const others = [...names].filter((name) => /\.safetensors(\.index.*\.json)?$/.test(name));
  if (others.length > 0) {
    const hint = variant === undefined ? "; a variant is loaded with { variant }" : "";
    return new Error(`${has}; it has ${others.slice(0, 5).join(", ")}${hint}`);
  }
  for (const { ends, name } of otherFormats) {
    const file = [...names].find((one) => ends.some((end) => one.endsWith(end)));
    if (file === undefined) continue;
    return new Error(
      `${has}; ${file} is ${name}'s format, which is not read: convert it with ${convertFolder(folder, { baseName, file })}`,
    );
  }
  return new Error(has);
}

async function openShards(folder: string, index: string, options: ReadOptions): Promise<WeightsReader> {
  const { join } = nodeModule("node:path");
  const shardOf = new Map<string, string>();
  const infos = new Map<string, SafetensorsInfo>();
  for (const [shard, promised] of await readShardIndex(index)) {
    const path = join(folder, shard);
    const reader = await openSafetensors(path, options);
    await reader.close();
    for (const name of promised) reader.info(name);
    for (const name of reader.keys()) {
      const other = shardOf.get(name);
      if (other !== undefined)
        throw new Error(`${index}: tensor ${shown(name)} is in both ${other} and ${shard}`);
      shardOf.set(name, shard);
      infos.set(name, reader.info(name));
    }
  }
  const info = (name: string): SafetensorsInfo => {
    const found = infos.get(name);
    if (!found) throw new Error(`${index}: has no tensor ${shown(name)}`);
    return found;
  };
  /** The shards that were read last, the very last at the end. */
  const open = new Map<string, SafetensorsReader>();
  const close = async (): Promise<void> => {
    const readers = [...open.values()];
    open.clear();
    for (const reader of readers) await reader.close();
  };
  const read = async (name: string): Promise<tf.Tensor> => {
    info(name);
    const shard = shardOf.get(name)!;
    const reader = open.get(shard) ?? (await openSafetensors(join(folder, shard), options));
    open.delete(shard);
    open.set(shard, reader);
    if (open.size > MOST_OPEN) {
      const [oldest, last] = [...open][0]!;
      open.delete(oldest);
      await last.close();
    }
    return reader.tensor(name);
  };
  let last: Promise<unknown> = Promise.resolve();
  return {
    keys: () => [...infos.keys()],
    info,
    tensor: (name) => {
      // One after the other: of two that want a shard at once, each would open it, and a shard may be closed only when none reads it.
      const tensor = last.then(() => read(name));
      last = tensor.catch(() => {});
      return tensor;
    },
    close,
  };
}

/** A process may hold few files open, and an index may name many. */
const MOST_OPEN = 64;

/**
 * The weights of a Hugging Face folder, all in memory; the caller disposes them.
 *
 * @throws what {@link openWeights} throws, and an error on an integer that int32 cannot hold.
 */
export async function readWeights(
  folder: string,
  baseName: string,
  options: WeightsOptions = {},
): Promise<StateDict> {
  return readAll(await openWeights(folder, baseName, options));
}

/** Names of tensors by the shard that holds them. */
async function readShardIndex(path: string): Promise<Map<string, string[]>> {
  const bytes = await readSmallFile(path, largestIndex);
  let index: { weight_map?: unknown } | null;
  try {
    index = parseJson(bytes) as typeof index;
  } catch (error) {
    throw new Error(`${path}: expected JSON (${(error as Error).message})`, { cause: error });
  }
  const weightMap = index?.weight_map;
  if (typeof weightMap !== "object" || weightMap === null || Array.isArray(weightMap)) {
    throw new Error(`${path}: expected weight_map to be an object of file names, got ${shown(weightMap)}`);
  }
  const shards = new Map<string, string[]>();
  for (const [name, shard] of Object.entries(weightMap)) {
    // A shard lies beside its index: a path that leads elsewhere is no business of ours.
    if (typeof shard !== "string" || !/^[^/\\\0]+\.safetensors$/.test(shard)) {
      throw new Error(
        `${path}: expected the name of a safetensors file in the same folder for tensor ${shown(name)}, got ${shown(shard)}`,
      );
    }
    const names = shards.get(shard);
    if (names) names.push(name);
    else shards.set(shard, [name]);
  }
  return shards;
}

/** Whether a file holds weights of this base name: whole, a shard or an index, of any variant. */
export function isWeightsFile(name: string, baseName: string): boolean {
  const rest =
    name.startsWith(`${baseName}.`) || name.startsWith(`${baseName}-`) ? name.slice(baseName.length) : "";
  return /^(\.[\w-]+)?(-\d+-of-\d+)?(\.[\w-]+)?\.safetensors(\.index(\.[\w-]+)?\.json)?$/.test(rest);
}
