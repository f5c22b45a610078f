import * as tf from "@tensorflow/tfjs-core";
import type { StateDict } from "../nn/module.js";
import { checkText } from "../shared/check-options.js";
import { openRegularFile, readInto } from "../shared/regular-file.js";
import { checkHeaderLength, parseHeader, type SafetensorsInfo } from "../shared/safetensors-header.js";
import { shown } from "../shared/shown.js";
import { checkReadOptions, type ReadOptions, tensorBytes } from "./decode-tensor.js";
import { type SerializeOptions, safetensorsChunks } from "./safetensors.js";
import { writeFileAtomically } from "./write-file-atomically.js";

/** Tensors by name, each read when it is asked for. */
export interface WeightsReader {
  /** The tensors' names, in the order of the header. */
  keys(): string[];
  /** The header's entry of one tensor. Throws when there is none of that name. */
  info(name: string): SafetensorsInfo;
  /** Reads one tensor's bytes and nothing else; the caller disposes the tensor. */
  tensor(name: string): Promise<tf.Tensor>;
  /** Closes the file; the caller's duty. */
  close(): Promise<void>;
}

/** A safetensors file whose tensors are read one by one, for files larger than memory. */
export interface SafetensorsReader extends WeightsReader {
  /** The header's `__metadata__`. */
  metadata: Record<string, string>;
}

/**
 * Opens a safetensors file and reads its header only. Node only.
 *
 * @throws an error that names the file, and the tensor where it is one's fault: no such file, not a regular file, truncated, header
 * that is no JSON, a name twice, unknown dtype, offsets that overlap, leave holes or disagree with the shape.
 */
export async function openSafetensors(path: string, options: ReadOptions = {}): Promise<SafetensorsReader> {
  checkText("openSafetensors: path", path);
  const read = checkReadOptions("openSafetensors", options);
  const { file, size } = await openRegularFile(path);
  try {
    const readBytes = async (from: number, length: number): Promise<Uint8Array> => {
      const bytes = new Uint8Array(length);
      await readInto(file, bytes, from, path);
      return bytes;
    };
    const length = checkHeaderLength(await readBytes(0, Math.min(8, size)), size, path);
    const { tensors, metadata } = parseHeader(await readBytes(8, length), size - 8 - length, path);
    const info = (name: string): SafetensorsInfo => {
      const found = tensors.get(name);
      if (!found) throw new Error(`${path}: has no tensor ${shown(name)}`);
      return found;
    };
    return {
      keys: () => [...tensors.keys()],
      info,
      metadata,
      tensor: async (name) => {
        const memory = tensorBytes(name, info(name), path, read);
        const begin = 8 + length + info(name).data_offsets[0];
        for (const part of memory.parts()) await readInto(file, part.bytes, begin + part.offset, path);
        return memory.tensor();
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Every tensor of a safetensors file; the caller disposes them. F16, BF16 and F64 become float32, integers int32.
 *
 * @throws what {@link openSafetensors} throws, and an error on an integer that int32 cannot hold.
 */
export async function readSafetensors(path: string, options: ReadOptions = {}): Promise<StateDict> {
  return readAll(await openSafetensors(path, options));
}

/** Reads every tensor and closes the reader; the caller disposes the tensors. */
export async function readAll(reader: WeightsReader): Promise<StateDict> {
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

/**
 * Writes tensors as a safetensors file, whole or not at all, one tensor in memory at a time; the caller keeps the tensors.
 * Node only.
 *
 * @param options `dtype`: how float32 tensors are stored, default "F32" (or "F16", "BF16"; an optimizer's state stays F32);
 * `finite`: whether NaN and infinities are refused; `metadata`: strings for the header. A file meant for Hugging Face's transformers needs `{ format: "pt" }`.
 * @throws an error that names the file when it cannot be written; what was there before is then untouched.
 */
export async function writeSafetensors(
  path: string,
  dict: StateDict,
  options: SerializeOptions = {},
): Promise<void> {
  await writeFileAtomically(path, safetensorsChunks("writeSafetensors", dict, options));
}
