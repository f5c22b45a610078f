import type { FileHandle } from "node:fs/promises";
import * as tf from "@tensorflow/tfjs-core";
import type { StateDict } from "../nn/module.js";
import { nodeModule } from "./node-modules.js";
import {
  checkHeaderLength,
  decodeTensor,
  parseHeader,
  type ReadOptions,
  type SafetensorsInfo,
  type SerializeOptions,
  safetensorsChunks,
} from "./safetensors.js";
import { writeFileAtomically } from "./write-file-atomically.js";

/** A safetensors file whose tensors are read one by one, for files larger than memory. */
export interface SafetensorsReader {
  /** The tensors' names, in the order of the header. */
  keys(): string[];
  /** What the header says of one tensor. Throws when there is none of that name. */
  info(name: string): SafetensorsInfo;
  /** The header's `__metadata__`. */
  metadata: Record<string, string>;
  /** Reads one tensor's bytes and nothing else; the caller disposes the tensor. */
  tensor(name: string): Promise<tf.Tensor>;
  /** Closes the file; the caller's duty. */
  close(): Promise<void>;
}

/**
 * Opens a safetensors file and reads its header alone. Node alone.
 *
 * @throws an error that names the file, and the tensor where it is one's fault: no such file, truncated, header that is no
 * JSON, unknown dtype, offsets that overlap, leave holes or disagree with the shape.
 */
export async function openSafetensors(path: string, options: ReadOptions = {}): Promise<SafetensorsReader> {
  const file = await nodeModule("node:fs/promises")
    .open(path)
    .catch((error: NodeJS.ErrnoException) => {
      throw new Error(
        `${path}: ${error.code === "ENOENT" ? "no such file" : `could not be opened (${error.message})`}`,
        { cause: error },
      );
    });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error(`${path}: expected a safetensors file, got a folder`);
    const { size } = stats;
    const length = checkHeaderLength(await readRange(file, 0, Math.min(8, size), path), size, path);
    const { tensors, metadata } = parseHeader(
      await readRange(file, 8, length, path),
      size - 8 - length,
      path,
    );
    const info = (name: string): SafetensorsInfo => {
      const found = tensors.get(name);
      if (!found) throw new Error(`${path}: has no tensor "${name}"`);
      return found;
    };
    return {
      keys: () => [...tensors.keys()],
      info,
      metadata,
      tensor: async (name) => {
        const [begin, end] = info(name).data_offsets;
        const bytes = await readRange(file, 8 + length + begin, end - begin, path);
        return decodeTensor(name, info(name), bytes, path, options);
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** What a reader and a Hugging Face folder have in common: tensors by name, each read when it is asked for. */
export type WeightsReader = Omit<SafetensorsReader, "metadata">;

/**
 * Every tensor of a safetensors file; the caller disposes them. F16, BF16 and F64 become float32, integers int32.
 *
 * @throws what {@link openSafetensors} throws, and an error on an integer that int32 cannot hold.
 */
export async function readSafetensors(path: string, options: ReadOptions = {}): Promise<StateDict> {
  return readAll(await openSafetensors(path, options));
}

/**
 * Opens the weights of a Hugging Face folder and reads headers alone: `<baseName>.safetensors`, or the shards that
 * `<baseName>.safetensors.index.json` lists. Node alone.
 *
 * @throws an error that names the file: no such folder, neither file there, an index that is malformed, a shard that is
 * missing or lacks a tensor which the index promises.
 */
export async function openWeights(
  folder: string,
  baseName: string,
  options: ReadOptions = {},
): Promise<WeightsReader> {
  const { readFile, stat } = nodeModule("node:fs/promises");
  const { join } = nodeModule("node:path");
  const exists = (path: string): Promise<boolean> =>
    stat(path).then(
      () => true,
      () => false,
    );
  if (!(await exists(folder))) throw new Error(`${folder}: no such folder`);
  const single = join(folder, `${baseName}.safetensors`);
  if (await exists(single)) return openSafetensors(single, options);
  const index = `${single}.index.json`;
  if (!(await exists(index))) {
    throw new Error(`${folder}: has neither ${baseName}.safetensors nor ${baseName}.safetensors.index.json`);
  }
  const readers = new Map<string, SafetensorsReader>();
  const close = async (): Promise<void> => {
    for (const reader of new Set(readers.values())) await reader.close();
  };
  try {
    for (const [shard, names] of parseShardIndex(await readFile(index, "utf8"), index)) {
      const reader = await openSafetensors(join(folder, shard), options);
      for (const name of names) readers.set(name, reader);
      for (const name of names) reader.info(name);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const readerOf = (name: string): SafetensorsReader => {
    const reader = readers.get(name);
    if (!reader) throw new Error(`${index}: has no tensor "${name}"`);
    return reader;
  };
  return {
    keys: () => [...readers.keys()],
    info: (name) => readerOf(name).info(name),
    tensor: async (name) => readerOf(name).tensor(name),
    close,
  };
}

/**
 * The weights of a Hugging Face folder, all in memory; the caller disposes them.
 *
 * @throws what {@link openWeights} throws, and an error on an integer that int32 cannot hold.
 */
export async function readWeights(
  folder: string,
  baseName: string,
  options: ReadOptions = {},
): Promise<StateDict> {
  return readAll(await openWeights(folder, baseName, options));
}

/** Reads every tensor and closes the reader. */
async function readAll(reader: WeightsReader): Promise<StateDict> {
  const tensors: [string, tf.Tensor][] = [];
  try {
    for (const name of reader.keys()) tensors.push([name, await reader.tensor(name)]);
  } catch (error) {
    tf.dispose(tensors.map(([, tensor]) => tensor));
    throw error;
  } finally {
    await reader.close();
  }
  return Object.fromEntries(tensors);
}

/** Names of tensors by the shard that holds them. */
function parseShardIndex(json: string, path: string): Map<string, string[]> {
  let weightMap: unknown;
  try {
    weightMap = JSON.parse(json)?.weight_map;
  } catch (error) {
    throw new Error(`${path}: expected JSON (${(error as Error).message})`, { cause: error });
  }
  if (typeof weightMap !== "object" || weightMap === null) {
    throw new Error(
      `${path}: expected weight_map to be an object of file names, got ${JSON.stringify(weightMap)}`,
    );
  }
  const shards = new Map<string, string[]>();
  for (const [name, shard] of Object.entries(weightMap)) {
    // A shard lies beside its index: a path that leads elsewhere is no business of ours.
    if (typeof shard !== "string" || /[/\\]/.test(shard)) {
      throw new Error(
        `${path}: expected the name of a file in the same folder for tensor "${name}", got ${JSON.stringify(shard)}`,
      );
    }
    shards.set(shard, [...(shards.get(shard) ?? []), name]);
  }
  return shards;
}

/**
 * Writes tensors as a safetensors file, whole or not at all, one tensor in memory at a time; the caller keeps the tensors.
 * Node alone.
 *
 * @param options `dtype`: how float32 tensors are stored, default "F32" (or "F16", "BF16"); `metadata`: strings for the header. A file meant
 * for Hugging Face's transformers needs `{ format: "pt" }`.
 * @throws an error that names the file when it cannot be written; what was there before is then untouched.
 */
export async function writeSafetensors(
  path: string,
  dict: StateDict,
  options: SerializeOptions = {},
): Promise<void> {
  await writeFileAtomically(path, safetensorsChunks(dict, options));
}

async function readRange(file: FileHandle, from: number, length: number, path: string): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    // One read call takes less than 2 GiB.
    const wanted = Math.min(length - done, 2 ** 30);
    const { bytesRead } = await file.read(bytes, done, wanted, from + done);
    if (bytesRead === 0) {
      throw new Error(
        `${path}: truncated while being read, expected ${length} bytes at ${from}, got ${done}`,
      );
    }
    done += bytesRead;
  }
  return bytes.buffer;
}
