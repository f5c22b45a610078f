import * as tf from "@tensorflow/tfjs-core";
import type { FloatStorage } from "../backend/webgpu/store.js";
import { float16Tensor } from "../ops/store-as.js";
import { bfloat16ToFloat32Array, float16ToFloat32Array, float32ToFloat16Array } from "./half-floats.js";
import { dtypeBytes, type SafetensorsDtype, type SafetensorsInfo } from "./safetensors-header.js";
import { shown } from "./shown.js";

export interface ReadOptions {
  /**
   * How float tensors are stored. "float16" halves their memory, for weights that stay frozen: F16 goes to the device as it is, and
   * BF16, F32 and F64 are rounded on the way. See `storeAs`. Default "float32".
   */
  storage?: FloatStorage;
}

type Values =
  | Float32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>;

/** How the elements of a dtype are read: as they lie in the file, or converted a piece at a time. */
interface Codec {
  dtype: "float32" | "int32" | "bool";
  /** Undefined where tfjs holds the file's bytes as they are. */
  convert?: (bytes: ArrayBuffer) => Float32Array | Int32Array | Uint8Array;
}

const codecs: Record<SafetensorsDtype, Codec> = {
  F64: { dtype: "float32", convert: (b) => Float32Array.from(new Float64Array(b)) },
  F32: { dtype: "float32" },
  F16: { dtype: "float32", convert: (b) => float16ToFloat32Array(new Uint16Array(b)) },
  BF16: { dtype: "float32", convert: (b) => bfloat16ToFloat32Array(new Uint16Array(b)) },
  I64: { dtype: "int32", convert: (b) => toInt32("I64", new BigInt64Array(b)) },
  I32: { dtype: "int32" },
  I16: { dtype: "int32", convert: (b) => Int32Array.from(new Int16Array(b)) },
  I8: { dtype: "int32", convert: (b) => Int32Array.from(new Int8Array(b)) },
  U64: { dtype: "int32", convert: (b) => toInt32("U64", new BigUint64Array(b)) },
  U32: { dtype: "int32", convert: (b) => toInt32("U32", new Uint32Array(b)) },
  U16: { dtype: "int32", convert: (b) => Int32Array.from(new Uint16Array(b)) },
  U8: { dtype: "int32", convert: (b) => Int32Array.from(new Uint8Array(b)) },
  BOOL: { dtype: "bool", convert: (b) => new Uint8Array(b).map((value) => (value === 0 ? 0 : 1)) },
};

/** Bytes of a file that are converted at a time: a multiple of every element's size. */
const PIECE = 2 ** 22;

/** The memory that a tensor's bytes are read into: its own, or a piece of it at a time. */
export interface TensorBytes {
  /** Where in the tensor's data each part begins, and the memory for it, in order. */
  parts(): Iterable<{ offset: number; bytes: Uint8Array<ArrayBuffer> }>;
  /** The tensor, once the parts are filled; the caller disposes it. */
  tensor(): tf.Tensor;
}

/**
 * Prepares to read a tensor. While `parts()` runs, the caller fills each part before it asks for the next.
 *
 * @param source what errors call the file
 */
export function tensorBytes(
  name: string,
  info: SafetensorsInfo,
  source: string,
  { storage = "float32" }: ReadOptions,
): TensorBytes {
  const { dtype, convert } = codecs[info.dtype];
  const size = tf.util.sizeFromShape(info.shape);
  const halves = storage === "float16" && dtype === "float32";
  const values = allocate(halves ? "half" : dtype, size, `${source}: tensor ${shown(name)}`);
  const named = <T>(f: () => T): T => {
    try {
      return f();
    } catch (error) {
      throw new Error(`${source}: tensor ${shown(name)}: ${(error as Error).message}`, { cause: error });
    }
  };
  const asItLies = halves ? info.dtype === "F16" : !convert;
  function* converted() {
    const elementBytes = dtypeBytes[info.dtype];
    for (let offset = 0; offset < size * elementBytes; offset += PIECE) {
      const bytes = new Uint8Array(Math.min(PIECE, size * elementBytes - offset));
      yield { offset, bytes };
      const piece = convert ? named(() => convert(bytes.buffer)) : new Float32Array(bytes.buffer);
      values.set(halves ? float32ToFloat16Array(piece as Float32Array) : piece, offset / elementBytes);
    }
  }
  return {
    parts: () => (asItLies ? [{ offset: 0, bytes: new Uint8Array(values.buffer) }] : converted()),
    tensor: () =>
      named(() =>
        halves
          ? float16Tensor(values as Uint16Array<ArrayBuffer>, info.shape)
          : tf.tensor(values, info.shape, dtype),
      ),
  };
}

function allocate(dtype: "float32" | "int32" | "bool" | "half", size: number, what: string): Values {
  try {
    if (dtype === "half") return new Uint16Array(size);
    if (dtype === "bool") return new Uint8Array(size);
    return dtype === "int32" ? new Int32Array(size) : new Float32Array(size);
  } catch (error) {
    throw new Error(`${what}: out of memory for ${size} elements`, { cause: error });
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
