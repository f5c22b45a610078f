import * as tf from "@tensorflow/tfjs-core";
import { checkStateDict } from "../nn/check-state-dict.js";
import type { StateDict } from "../nn/module.js";
import { checkChoice, checkOptions, checkText, describe } from "../shared/check-options.js";
import { float32ToFloat16Array, numberToBfloat16 } from "../shared/half-floats.js";
import {
  checkHeaderLength,
  checkMetadata,
  dtypeBytes,
  largestHeader,
  parseHeader,
  type SafetensorsDtype,
  type SafetensorsInfo,
} from "../shared/safetensors-header.js";
import { shown } from "../shared/shown.js";
import { checkReadOptions, type ReadOptions, tensorBytes } from "./decode-tensor.js";
import { hasFullPrecision } from "./full-precision.js";

/**
 * Every tensor of a safetensors file held in memory, on any platform.
 *
 * F16, BF16 and F64 become float32, integers int32, BOOL bool. The caller disposes the tensors.
 *
 * @param file the file's bytes: an ArrayBuffer, or a view of a part of one.
 * @param source what errors call the file. Default "safetensors".
 * @param options `storage`: how float tensors are stored.
 * @throws an error that names the file, and the tensor where it is one's fault, what was expected and what came.
 */
export function parseSafetensors(
  file: ArrayBuffer | ArrayBufferView,
  source = "safetensors",
  options: ReadOptions = {},
): StateDict {
  checkText("parseSafetensors: source", source);
  const read = checkReadOptions("parseSafetensors", options);
  const bytes = asBytes(file, source);
  const length = checkHeaderLength(bytes.subarray(0, 8), bytes.length, source);
  const data = bytes.subarray(8 + length);
  const { tensors } = parseHeader(bytes.subarray(8, 8 + length), data.length, source);
  const decoded: [string, tf.Tensor][] = [];
  try {
    for (const [name, info] of tensors) {
      const memory = tensorBytes(name, info, source, read);
      for (const part of memory.parts()) {
        const from = info.data_offsets[0] + part.offset;
        part.bytes.set(data.subarray(from, from + part.bytes.length));
      }
      decoded.push([name, memory.tensor()]);
    }
  } catch (error) {
    tf.dispose(decoded.map(([, tensor]) => tensor));
    throw error;
  }
  return Object.fromEntries(decoded);
}

function asBytes(file: unknown, source: string): Uint8Array {
  if (ArrayBuffer.isView(file)) return new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  if (file instanceof ArrayBuffer) return new Uint8Array(file);
  throw new TypeError(
    `${source}: expected the file's bytes as an ArrayBuffer or a typed array, got ${shown(file)}`,
  );
}

type FloatDtype = "F32" | "F16" | "BF16";

export interface SerializeOptions {
  /** How float32 tensors are stored. Default "F32". F16 and BF16 round to nearest even, F16 to infinity from 65520. */
  dtype?: FloatDtype;
  /** Strings for the header's `__metadata__`. */
  metadata?: Record<string, string>;
  /** Whether NaN or an infinity is an error, also one that a value becomes in `dtype`. Default false. */
  finite?: boolean;
}

/**
 * A safetensors file of these tensors, widest dtype first, then by name; the caller keeps the tensors. An optimizer's state is
 * stored in full precision, whatever the dtype.
 *
 * @throws for a tensor, a dtype or metadata that the format cannot hold; with `finite` for a value that is not finite as it is stored.
 */
export async function serializeSafetensors(
  dict: StateDict,
  options: SerializeOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of safetensorsChunks("serializeSafetensors", dict, options)) chunks.push(chunk);
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
  caller: string,
  dict: StateDict,
  options: SerializeOptions = {},
): AsyncGenerator<Uint8Array> {
  const {
    dtype = "F32",
    metadata,
    finite = false,
  } = checkOptions(caller, options, { dtype: true, metadata: true, finite: "boolean" });
  checkChoice(`${caller}: dtype`, dtype, ["F32", "F16", "BF16"]);
  checkStateDict(caller, dict);
  if (metadata !== undefined) checkMetadata(metadata, caller);
  // Wide elements first keeps every tensor aligned to its own element size.
  const entries = Object.entries(dict)
    .map(([name, tensor]) => ({ name, tensor, stored: storedDtype(caller, name, tensor, dtype) }))
    .sort((a, b) => dtypeBytes[b.stored] - dtypeBytes[a.stored] || (a.name < b.name ? -1 : 1));
  let offset = 0;
  const header = entries.map(({ name, tensor, stored }): [string, SafetensorsInfo] => {
    const begin = offset;
    offset += tensor.size * dtypeBytes[stored];
    return [name, { dtype: stored, shape: tensor.shape, data_offsets: [begin, offset] }];
  });
  yield encodeHeader(caller, { ...(metadata && { __metadata__: metadata }), ...Object.fromEntries(header) });
  for (const { name, tensor, stored } of entries) {
    const values = await tensor.data();
    const written =
      stored === "F16"
        ? float32ToFloat16Array(values as Float32Array)
        : stored === "BF16"
          ? Uint16Array.from(values, numberToBfloat16)
          : values;
    if (finite && tensor.dtype === "float32") {
      checkStored(`${caller}: tensor ${shown(name)}`, { values, written, stored: stored as FloatDtype });
    }
    yield bytesOf(written);
  }
}

/** The bits of an exponent that NaN and the infinities have alone. */
const exponents = { F16: 0x7c00, BF16: 0x7f80 };

/** Refuses NaN and infinities, and values that become one in half precision. */
function checkStored(
  what: string,
  {
    values,
    written,
    stored,
  }: { values: tf.TypedArray; written: tf.TypedArray | Uint16Array; stored: FloatDtype },
): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) throw new Error(`${what}: expected finite values, got ${value}`);
    if (stored === "F32") continue;
    if ((written[i]! & exponents[stored]) !== exponents[stored]) continue;
    const wider = stored === "F16" ? '"BF16" or "F32"' : '"F32"';
    throw new Error(`${what}: has the value ${value}, which is too large for ${stored}; use dtype ${wider}`);
  }
}

/** The header's length in eight bytes, then its JSON, padded with spaces to a multiple of eight. */
function encodeHeader(caller: string, header: Record<string, unknown>): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  if (padded > largestHeader) {
    throw new RangeError(
      `${caller}: names and metadata must take at most ${largestHeader} bytes, as no reader takes a longer header, got ${padded}`,
    );
  }
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  return bytes;
}

function storedDtype(caller: string, name: string, tensor: tf.Tensor, floats: FloatDtype): SafetensorsDtype {
  if (name === "__metadata__") throw new Error(`${caller}: a tensor cannot be named "__metadata__"`);
  if (!(tensor instanceof tf.Tensor)) {
    throw new TypeError(`${caller}: tensor ${shown(name)}: expected a tensor, got ${describe(tensor)}`);
  }
  if (tensor.isDisposed) throw new Error(`${caller}: tensor ${shown(name)} [${tensor.shape}] is disposed`);
  if (tensor.dtype === "float32") return hasFullPrecision(tensor) ? "F32" : floats;
  if (tensor.dtype === "int32") return "I32";
  if (tensor.dtype === "bool") return "BOOL";
  throw new Error(
    `${caller}: tensor ${shown(name)}: expected dtype float32, int32 or bool, got ${tensor.dtype}`,
  );
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
