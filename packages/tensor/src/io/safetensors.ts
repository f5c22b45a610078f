import * as tf from "@tensorflow/tfjs-core";
import type { StateDict } from "../nn/module.js";

/** A tensor as a safetensors header describes it. */
export interface SafetensorsInfo {
  dtype: SafetensorsDtype;
  shape: number[];
  /** First and past-the-last byte in the data section. */
  data_offsets: [number, number];
}

export interface SafetensorsHeader {
  tensors: Record<string, SafetensorsInfo>;
  metadata: Record<string, string>;
}

interface Codec {
  bytes: number;
  dtype: "float32" | "int32" | "bool";
  decode: (bytes: ArrayBuffer) => Float32Array | Int32Array | Uint8Array;
}

const widen = (bits: Uint16Array, toFloat: (word: number) => number) => {
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = toFloat(bits[i]);
  return out;
};

const scratch = new DataView(new ArrayBuffer(4));

function bfloat16ToNumber(word: number): number {
  scratch.setUint32(0, word << 16);
  return scratch.getFloat32(0);
}

function float16ToNumber(word: number): number {
  const sign = word & 0x8000 ? -1 : 1;
  const exponent = (word >> 10) & 31;
  const fraction = word & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rounds to the nearest half, ties to even. */
function numberToFloat16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundHalfEven(magnitude * 2 ** 24);
  const exponent = ((bits >>> 23) & 255) - 127;
  // A fraction that rounds up to 1024 carries into the exponent, as it should.
  return sign | (((exponent + 15) << 10) + roundHalfEven((magnitude / 2 ** exponent - 1) * 1024));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

function int64ToInt32(words: BigInt64Array): Int32Array {
  return Int32Array.from(words, (word) => {
    if (word !== BigInt.asIntN(32, word)) throw new Error(`value ${word} does not fit int32`);
    return Number(word);
  });
}

const codecs = {
  F64: { bytes: 8, dtype: "float32", decode: (b) => Float32Array.from(new Float64Array(b)) },
  F32: { bytes: 4, dtype: "float32", decode: (b) => new Float32Array(b) },
  F16: { bytes: 2, dtype: "float32", decode: (b) => widen(new Uint16Array(b), float16ToNumber) },
  BF16: { bytes: 2, dtype: "float32", decode: (b) => widen(new Uint16Array(b), bfloat16ToNumber) },
  I64: { bytes: 8, dtype: "int32", decode: (b) => int64ToInt32(new BigInt64Array(b)) },
  I32: { bytes: 4, dtype: "int32", decode: (b) => new Int32Array(b) },
  I16: { bytes: 2, dtype: "int32", decode: (b) => Int32Array.from(new Int16Array(b)) },
  I8: { bytes: 1, dtype: "int32", decode: (b) => Int32Array.from(new Int8Array(b)) },
  U8: { bytes: 1, dtype: "int32", decode: (b) => Int32Array.from(new Uint8Array(b)) },
  BOOL: { bytes: 1, dtype: "bool", decode: (b) => new Uint8Array(b) },
} satisfies Record<string, Codec>;

export type SafetensorsDtype = keyof typeof codecs;

/** The length of the JSON header, from the first eight bytes of a file of `fileBytes`. */
export function headerLength(prefix: ArrayBuffer, fileBytes: number, source: string): number {
  if (prefix.byteLength < 8) {
    throw new Error(`${source}: truncated, a safetensors file has at least 8 bytes, got ${prefix.byteLength}`);
  }
  const length = Number(new DataView(prefix).getBigUint64(0, true));
  if (length > fileBytes - 8) {
    throw new Error(
      `${source}: truncated or no safetensors file, its header should be ${length} bytes, ${fileBytes - 8} are left`,
    );
  }
  return length;
}

/** Checks and returns a header; `dataBytes` is the size of the data section. */
export function parseHeader(json: string, dataBytes: number, source: string): SafetensorsHeader {
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new Error(`${source}: its safetensors header is no JSON (${(error as Error).message})`);
  }
  const { __metadata__: metadata = {}, ...entries } = parsed;
  const tensors: Record<string, SafetensorsInfo> = {};
  for (const [name, entry] of Object.entries(entries)) {
    const info = entry as SafetensorsInfo;
    const codec = codecs[info?.dtype];
    if (!codec) {
      throw new Error(
        `${source}: tensor "${name}" has dtype ${JSON.stringify(info?.dtype)}, supported are ${Object.keys(codecs).join(", ")}`,
      );
    }
    const [begin, end] = info.data_offsets;
    const expected = tf.util.sizeFromShape(info.shape) * codec.bytes;
    if (end - begin !== expected) {
      throw new Error(
        `${source}: tensor "${name}" of shape [${info.shape}] and dtype ${info.dtype} needs ${expected} bytes, its offsets span ${end - begin}`,
      );
    }
    if (begin < 0 || end > dataBytes) {
      throw new Error(
        `${source}: truncated, tensor "${name}" ends at byte ${end} of the data, which has ${dataBytes}`,
      );
    }
    tensors[name] = info;
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

/** A tensor from its own bytes; the caller disposes it. */
export function decodeTensor(name: string, info: SafetensorsInfo, bytes: ArrayBuffer, source: string): tf.Tensor {
  const codec: Codec = codecs[info.dtype];
  try {
    return tf.tensor(codec.decode(bytes), info.shape, codec.dtype);
  } catch (error) {
    throw new Error(`${source}: tensor "${name}": ${(error as Error).message}`);
  }
}

/**
 * Every tensor of a safetensors file held in memory.
 *
 * F16, BF16 and F64 become float32; integers become int32. The caller disposes the tensors.
 * @param source what errors call the file.
 */
export function parseSafetensors(buffer: ArrayBuffer, source = "safetensors"): StateDict {
  const length = headerLength(buffer.slice(0, 8), buffer.byteLength, source);
  const json = new TextDecoder().decode(buffer.slice(8, 8 + length));
  const { tensors } = parseHeader(json, buffer.byteLength - 8 - length, source);
  const dict: StateDict = {};
  for (const [name, info] of Object.entries(tensors)) {
    const [begin, end] = info.data_offsets;
    dict[name] = decodeTensor(name, info, buffer.slice(8 + length + begin, 8 + length + end), source);
  }
  return dict;
}

export interface SerializeOptions {
  /** How float32 tensors are stored. Default "F32". */
  dtype?: "F32" | "F16";
  metadata?: Record<string, string>;
}

/** A safetensors file of these tensors, in the order of their names; the caller keeps the tensors. */
export async function serializeSafetensors(dict: StateDict, options: SerializeOptions = {}): Promise<Uint8Array> {
  const { dtype = "F32", metadata } = options;
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const name of Object.keys(dict).sort()) {
    const { stored, bytes } = encode(await dict[name].data(), dict[name].dtype, dtype);
    header[name] = { dtype: stored, shape: dict[name].shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    parts.push(bytes);
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(8 + padded + offset).fill(0x20, 8, 8 + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(text, 8);
  let at = 8 + padded;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function encode(values: tf.TypedArray, dtype: tf.DataType, floats: "F32" | "F16") {
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (dtype === "float32") {
    if (floats === "F32") return { stored: "F32", bytes: raw };
    return { stored: "F16", bytes: new Uint8Array(Uint16Array.from(values, numberToFloat16).buffer) };
  }
  if (dtype === "int32") return { stored: "I32", bytes: raw };
  if (dtype === "bool") return { stored: "BOOL", bytes: raw };
  throw new Error(`serializeSafetensors: dtype ${dtype} has no safetensors form`);
}
