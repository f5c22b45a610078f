import * as tf from "@tensorflow/tfjs-core";
import type { FloatStorage } from "../backend/webgpu/store.js";
import { float16Tensor } from "../ops/store-as.js";
import { checkChoice, checkOptions } from "../shared/check-options.js";
import {
  bfloat16ToFloat32Array,
  float16ToFloat32Array,
  float32ToFloat16Array,
} from "../shared/half-floats.js";
import { dtypeBytes, type SafetensorsDtype, type SafetensorsInfo } from "../shared/safetensors-header.js";
import { shown } from "../shared/shown.js";

/** Checks how tensors are read. @throws naming the caller, and the option or its value */
export function checkReadOptions(caller: string, options: ReadOptions | undefined): ReadOptions {
  const checked = checkOptions(caller, options, { storage: true, finite: "boolean" });
  if (checked.storage !== undefined)
    checkChoice(`${caller}: storage`, checked.storage, ["float32", "float16"]);
  return checked;
}

export interface ReadOptions {
  /**
   * How float tensors are stored. "float16" halves their memory, for weights that stay frozen: F16 goes to the device as it is, and
   * BF16, F32 and F64 are rounded on the way. See `storeAs`. Default "float32".
   */
  storage?: FloatStorage;
  /** Whether NaN or an infinity in a float tensor is an error, as in weights it is a damaged file. Default false. */
  finite?: boolean;
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

/** A tensor of a file as tfjs holds it. */
const views = {
  float32: (b: ArrayBuffer) => new Float32Array(b),
  int32: (b: ArrayBuffer) => new Int32Array(b),
  bool: (b: ArrayBuffer) => new Uint8Array(b),
};

/** Bytes of a file that are converted at a time: a multiple of every element's size. */
const PIECE = 2 ** 20;

/** The memory that a tensor's bytes are read into: its own, or a piece of it at a time. */
export interface TensorBytes {
  /** Where in the tensor's data each part begins, and the memory for it, in order. */
  parts(): Iterable<{ offset: number; bytes: Uint8Array<ArrayBuffer> }>;
  /** The tensor, once the parts are filled; the caller disposes it. */
  tensor(): tf.Tensor;
}

/**
 * Prepares to read a tensor. While `parts()` runs, the caller fills each part before it asks for the next. Beside the tensor's own
 * memory no more than a piece is held.
 *
 * @param source what errors call the file
 */
export function tensorBytes(
  name: string,
  info: SafetensorsInfo,
  source: string,
  { storage = "float32", finite = false }: ReadOptions,
): TensorBytes {
  const { dtype, convert } = codecs[info.dtype];
  const halves = storage === "float16" && dtype === "float32";
  const fileBytes = tf.util.sizeFromShape(info.shape) * dtypeBytes[info.dtype];
  const named = <T>(f: () => T): T => {
    try {
      return f();
    } catch (error) {
      throw new Error(`${source}: tensor ${shown(name)}: ${(error as Error).message}`, { cause: error });
    }
  };
  const memory = named(() => (halves ? halfMemory(info.shape) : tensorMemory(info.shape, dtype)));
  const asItLies = halves ? info.dtype === "F16" : !convert;
  const checked = finite && dtype === "float32";
  function* pieces() {
    let filled = false;
    try {
      let bytes = new Uint8Array(0);
      for (let offset = 0; offset < fileBytes; offset += PIECE) {
        const length = Math.min(PIECE, fileBytes - offset);
        if (bytes.length !== length) bytes = new Uint8Array(length);
        yield { offset, bytes };
        const piece = named(() => (convert ?? views[dtype])(bytes.buffer));
        if (checked) named(() => checkFinite(piece));
        const stored = halves ? float32ToFloat16Array(piece as Float32Array) : piece;
        // A value that is finite may be none in half precision.
        if (checked && halves) named(() => checkFiniteHalves(stored as Uint16Array, "float16"));
        memory.set(stored, offset / dtypeBytes[info.dtype]);
      }
      filled = true;
    } finally {
      if (!filled) memory.discard();
    }
  }
  return {
    parts: () => (asItLies && memory.bytes ? [{ offset: 0, bytes: memory.bytes }] : pieces()),
    tensor: () =>
      named(() => {
        // Read in one part, which no piece has seen.
        if (checked && asItLies && memory.bytes) {
          const { buffer } = memory.bytes;
          if (halves) checkFiniteHalves(new Uint16Array(buffer));
          else checkFinite(new Float32Array(buffer));
        }
        return memory.tensor();
      }),
  };
}

function checkFinite(values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) throw new Error(`expected finite values, got ${values[i]}`);
  }
}

/** Of float16's bits: an exponent of ones is NaN or an infinity. */
function checkFiniteHalves(bits: Uint16Array, rounded?: "float16"): void {
  for (const value of bits) {
    if ((value & 0x7c00) === 0x7c00) {
      if (rounded)
        throw new Error(`has a value that is too large for ${rounded}, above 65504; use storage "float32"`);
      throw new Error(`expected finite values, got ${(value & 0x3ff) === 0 ? "an infinity" : "NaN"}`);
    }
  }
}

/** Where a tensor's elements go. */
interface TensorMemory {
  /** All of it, where the host holds it and bytes may be read straight into it. */
  bytes?: Uint8Array<ArrayBuffer>;
  set(values: ArrayLike<number>, at: number): void;
  tensor(): tf.Tensor;
  /** Gives it back where the tensor cannot be read. */
  discard(): void;
}

/** tfjs-backend-wasm: it copies what it is given, so that values are best written into its heap. */
interface HeapBackend extends tf.KernelBackend {
  makeOutput(shape: number[], dtype: string): tf.TensorInfo;
  typedArrayFromHeap(info: tf.TensorInfo): tf.TypedArray;
}

function tensorMemory(shape: number[], dtype: "float32" | "int32" | "bool"): TensorMemory {
  const backend = tf.backend() as HeapBackend;
  if (typeof backend.typedArrayFromHeap !== "function" || typeof backend.makeOutput !== "function") {
    const size = tf.util.sizeFromShape(shape);
    const Values = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype];
    return hostMemory(new Values(size), (values) => tf.tensor(values as tf.TypedArray, shape, dtype));
  }
  const tensor = tf.engine().makeTensorFromTensorInfo(backend.makeOutput(shape, dtype), backend);
  return {
    // Asked for each time: the heap moves when it grows.
    set: (values, at) => backend.typedArrayFromHeap(tensor).set(values, at),
    tensor: () => tensor,
    discard: () => tensor.dispose(),
  };
}

const halfMemory = (shape: number[]): TensorMemory =>
  hostMemory(new Uint16Array(tf.util.sizeFromShape(shape)), (bits) => float16Tensor(bits, shape));

function hostMemory<V extends Values>(values: V, tensor: (values: V) => tf.Tensor): TensorMemory {
  return {
    bytes: new Uint8Array(values.buffer),
    set: (piece, at) => values.set(piece, at),
    tensor: () => tensor(values),
    discard: () => {},
  };
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
