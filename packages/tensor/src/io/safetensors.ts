import * as tf from "@tensorflow/tfjs-core";
import type { FloatStorage } from "../backend/webgpu/store.js";
import type { StateDict } from "../nn/module.js";
import { float16Tensor } from "../ops/store-as.js";
import {
  bfloat16ToFloat32Array,
  float16ToFloat32Array,
  float32ToFloat16Array,
  numberToBfloat16,
} from "./half-floats.js";

/** A tensor as a safetensors header describes it. */
export interface SafetensorsInfo {
  dtype: SafetensorsDtype;
  shape: number[];
  /** First and past-the-last byte in the data section. */
  data_offsets: [number, number];
}

export interface SafetensorsHeader {
  tensors: Map<string, SafetensorsInfo>;
  metadata: Record<string, string>;
}

interface Codec {
  bytes: number;
  dtype: "float32" | "int32" | "bool";
  decode: (bytes: ArrayBuffer) => Float32Array | Int32Array | Uint8Array;
}

const codecs = {
  F64: { bytes: 8, dtype: "float32", decode: (b) => Float32Array.from(new Float64Array(b)) },
  F32: { bytes: 4, dtype: "float32", decode: (b) => new Float32Array(b) },
  F16: { bytes: 2, dtype: "float32", decode: (b) => float16ToFloat32Array(new Uint16Array(b)) },
  BF16: {
    bytes: 2,
    dtype: "float32",
    decode: (b) => bfloat16ToFloat32Array(new Uint16Array(b)),
  },
  I64: { bytes: 8, dtype: "int32", decode: (b) => toInt32("I64", new BigInt64Array(b)) },
  I32: { bytes: 4, dtype: "int32", decode: (b) => new Int32Array(b) },
  I16: { bytes: 2, dtype: "int32", decode: (b) => Int32Array.from(new Int16Array(b)) },
  I8: { bytes: 1, dtype: "int32", decode: (b) => Int32Array.from(new Int8Array(b)) },
  U64: { bytes: 8, dtype: "int32", decode: (b) => toInt32("U64", new BigUint64Array(b)) },
  U32: { bytes: 4, dtype: "int32", decode: (b) => toInt32("U32", new Uint32Array(b)) },
  U16: { bytes: 2, dtype: "int32", decode: (b) => Int32Array.from(new Uint16Array(b)) },
  U8: { bytes: 1, dtype: "int32", decode: (b) => Int32Array.from(new Uint8Array(b)) },
  BOOL: { bytes: 1, dtype: "bool", decode: (b) => new Uint8Array(b) },
} satisfies Record<string, Codec>;

/** The dtypes that can be read. Written are F32 (or F16 or BF16 on request), I32 and BOOL. */
export type SafetensorsDtype = keyof typeof codecs;

/** The reference implementation's limit: a longer header is not one. */
const largestHeader = 100_000_000;

/** Reads and checks the header's length, from the first eight bytes of a file of `fileBytes`. */
export function checkHeaderLength(prefix: ArrayBuffer, fileBytes: number, source: string): number {
  if (prefix.byteLength < 8) {
    throw new Error(`${source}: truncated, expected at least 8 bytes, got ${prefix.byteLength}`);
  }
  const length = Number(new DataView(prefix).getBigUint64(0, true));
  if (length > fileBytes - 8) {
    throw new Error(
      `${source}: truncated or no safetensors file, expected a header of ${length} bytes, got ${fileBytes - 8}`,
    );
  }
  if (length > largestHeader) {
    throw new Error(
      `${source}: no safetensors file, expected a header of at most ${largestHeader} bytes, got ${length}`,
    );
  }
  return length;
}

/** Checks and returns a header; `dataBytes` is the size of the data section, which the tensors must fill exactly. */
export function parseHeader(bytes: ArrayBuffer, dataBytes: number, source: string): SafetensorsHeader {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new Error(`${source}: expected its header to be JSON (${(error as Error).message})`, {
      cause: error,
    });
  }
  if (!isObject(parsed)) {
    throw new Error(`${source}: expected its header to be a JSON object, got ${JSON.stringify(parsed)}`);
  }
  let metadata: Record<string, string> = {};
  const tensors = new Map<string, SafetensorsInfo>();
  for (const [name, entry] of Object.entries(parsed)) {
    if (name === "__metadata__") metadata = checkMetadata(entry, source);
    else tensors.set(name, checkInfo(name, entry, source));
  }
  checkLayout(tensors, dataBytes, source);
  return { tensors, metadata };
}

function checkMetadata(entry: unknown, source: string): Record<string, string> {
  if (!isObject(entry) || Object.values(entry).some((value) => typeof value !== "string")) {
    throw new Error(
      `${source}: expected __metadata__ to be an object of strings, got ${JSON.stringify(entry)}`,
    );
  }
  return entry as Record<string, string>;
}

function checkInfo(name: string, entry: unknown, source: string): SafetensorsInfo {
  const fail = (expected: string, got: unknown): never => {
    throw new Error(`${source}: tensor "${name}": expected ${expected}, got ${JSON.stringify(got)}`);
  };
  if (!isObject(entry)) return fail("dtype, shape and data_offsets", entry);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(codecs, dtype)) {
    return fail(`dtype to be one of ${Object.keys(codecs).join(", ")}`, dtype);
  }
  if (!isSizes(shape)) return fail("shape to be an array of sizes", shape);
  if (!isSizes(offsets) || offsets.length !== 2) return fail("data_offsets to be [begin, end]", offsets);
  const info = { dtype, shape, data_offsets: offsets } as SafetensorsInfo;
  const needed = tf.util.sizeFromShape(shape) * codecs[info.dtype].bytes;
  const span = offsets[1]! - offsets[0]!;
  if (span !== needed) {
    throw new Error(
      `${source}: tensor "${name}": expected ${needed} bytes for ${dtype} of shape [${shape}], got data_offsets [${offsets}] (${span} bytes)`,
    );
  }
  return info;
}

/** The tensors fill the data section end to end: an overlap, a hole or a missing end means that the file is not whole. */
function checkLayout(tensors: Map<string, SafetensorsInfo>, dataBytes: number, source: string): void {
  const inOrder = [...tensors].sort(
    ([, { data_offsets: a }], [, { data_offsets: b }]) => a[0] - b[0] || a[1] - b[1],
  );
  let position = 0;
  for (const [index, [name, { data_offsets: offsets }]] of inOrder.entries()) {
    if (offsets[0] !== position) {
      const before = index > 0 ? `the end of tensor "${inOrder[index - 1]![0]}"` : "the start of the data";
      const what = offsets[0] < position ? "overlaps another tensor" : "leaves a hole";
      throw new Error(
        `${source}: tensor "${name}" ${what}, expected it to begin at ${position}, ${before}, got ${offsets[0]}`,
      );
    }
    position = offsets[1];
    if (position > dataBytes) {
      throw new Error(
        `${source}: truncated, tensor "${name}" expected ${position} bytes of data, got ${dataBytes}`,
      );
    }
  }
  if (position !== dataBytes) {
    throw new Error(`${source}: expected ${position} bytes of data after the header, got ${dataBytes}`);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

export interface ReadOptions {
  /**
   * How float tensors are stored. "float16" halves their memory, for weights that stay frozen: F16 goes to the device as it is, and
   * BF16, F32 and F64 are rounded on the way. See `storeAs`. Default "float32".
   */
  storage?: FloatStorage;
}

/** A tensor from its own bytes; the caller disposes it. */
export function decodeTensor(
  name: string,
  info: SafetensorsInfo,
  bytes: ArrayBuffer,
  source: string,
  { storage = "float32" }: ReadOptions,
): tf.Tensor {
  const codec: Codec = codecs[info.dtype];
  try {
    if (storage === "float16" && codec.dtype === "float32") {
      const isHalf = info.dtype === "F16";
      const bits = isHalf
        ? new Uint16Array(bytes)
        : float32ToFloat16Array(codec.decode(bytes) as Float32Array);
      return float16Tensor(bits, info.shape);
    }
    return tf.tensor(codec.decode(bytes), info.shape, codec.dtype);
  } catch (error) {
    throw new Error(`${source}: tensor "${name}": ${(error as Error).message}`, { cause: error });
  }
}

/** tfjs has no integers wider than int32: what it can hold is kept, what it cannot is refused. */
function toInt32(dtype: string, words: BigInt64Array | BigUint64Array | Uint32Array): Int32Array {
  const out = new Int32Array(words.length);
  for (const [i, word] of words.entries()) {
    const value = Number(word);
    if (value !== (value | 0)) throw new Error(`expected ${dtype} values that int32 can hold, got ${word}`);
    out[i] = value;
  }
  return out;
}

/**
 * Every tensor of a safetensors file held in memory, on any platform.
 *
 * F16, BF16 and F64 become float32, integers int32, BOOL bool. The caller disposes the tensors.
 *
 * @param source What errors call the file.
 * @throws an error that names the file, and the tensor where it is one's fault, what was expected and what came.
 */
export function parseSafetensors(
  buffer: ArrayBuffer,
  source = "safetensors",
  options: ReadOptions = {},
): StateDict {
  const length = checkHeaderLength(buffer.slice(0, 8), buffer.byteLength, source);
  const data = 8 + length;
  const { tensors } = parseHeader(buffer.slice(8, data), buffer.byteLength - data, source);
  const decoded: [string, tf.Tensor][] = [];
  try {
    for (const [name, info] of tensors) {
      const [begin, end] = info.data_offsets;
      decoded.push([name, decodeTensor(name, info, buffer.slice(data + begin, data + end), source, options)]);
    }
  } catch (error) {
    tf.dispose(decoded.map(([, tensor]) => tensor));
    throw error;
  }
  return Object.fromEntries(decoded);
}

type FloatDtype = "F32" | "F16" | "BF16";

export interface SerializeOptions {
  /** How float32 tensors are stored. Default "F32". F16 and BF16 round to nearest even, F16 to infinity from 65520. */
  dtype?: FloatDtype;
  /** Strings for the header's `__metadata__`. */
  metadata?: Record<string, string>;
}

/** A safetensors file of these tensors, widest dtype first, then by name; the caller keeps the tensors. */
export async function serializeSafetensors(
  dict: StateDict,
  options: SerializeOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of safetensorsChunks(dict, options)) chunks.push(chunk);
  const file = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
  let position = 0;
  for (const chunk of chunks) {
    file.set(chunk, position);
    position += chunk.length;
  }
  return file;
}

/** The same, piece by piece: the length and header, then each tensor's bytes, read from its backend when it is due. */
export async function* safetensorsChunks(
  dict: StateDict,
  { dtype = "F32", metadata }: SerializeOptions = {},
): AsyncGenerator<Uint8Array> {
  if (!["F32", "F16", "BF16"].includes(dtype)) {
    throw new Error(`writeSafetensors: dtype: expected "F32", "F16" or "BF16", got ${JSON.stringify(dtype)}`);
  }
  // Wide elements first keeps every tensor aligned to its own element size.
  const entries = Object.entries(dict)
    .map(([name, tensor]) => ({ name, tensor, stored: storedDtype(name, tensor, dtype) }))
    .sort((a, b) => codecs[b.stored].bytes - codecs[a.stored].bytes || (a.name < b.name ? -1 : 1));
  let offset = 0;
  const header = entries.map(({ name, tensor, stored }): [string, SafetensorsInfo] => {
    const begin = offset;
    offset += tensor.size * codecs[stored].bytes;
    return [name, { dtype: stored, shape: tensor.shape, data_offsets: [begin, offset] }];
  });
  yield encodeHeader({ ...(metadata && { __metadata__: metadata }), ...Object.fromEntries(header) });
  for (const { tensor, stored } of entries) {
    const values = await tensor.data();
    if (stored === "F16") yield bytesOf(float32ToFloat16Array(values as Float32Array));
    else if (stored === "BF16") yield bytesOf(Uint16Array.from(values, numberToBfloat16));
    else yield bytesOf(values);
  }
}

/** The header's length in eight bytes, then its JSON, padded with spaces to a multiple of eight. */
function encodeHeader(header: Record<string, unknown>): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  return bytes;
}

function storedDtype(name: string, { dtype }: tf.Tensor, floats: FloatDtype): SafetensorsDtype {
  if (name === "__metadata__") throw new Error(`writeSafetensors: a tensor cannot be named "__metadata__"`);
  if (dtype === "float32") return floats;
  if (dtype === "int32") return "I32";
  if (dtype === "bool") return "BOOL";
  throw new Error(`writeSafetensors: tensor "${name}": expected dtype float32, int32 or bool, got ${dtype}`);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
