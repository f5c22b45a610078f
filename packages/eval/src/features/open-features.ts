import * as tf from "@tensorflow/tfjs-core";
import { checkChoice, describe } from "../shared/check-options.js";
import { float16ToFloat32Array } from "../shared/half-floats.js";
import { readSavedFeatures, type SafetensorsFile } from "./read-features.js";

/**
 * Features, a row for each image or text:
 *
 * - a tensor `[n, dim]`; its rank is checked when it is used, since tfjs types `tf.randomNormal([8, 4])` as of any rank
 * - a list of rows, plain or typed arrays
 * - flat numbers with their shape, or with `dims` and `type` as transformers.js and ONNX Runtime have them; the bits of `"float16"` are decoded
 * - a safetensors file with a tensor `"features"` or a single tensor: its path (Node) or its content
 *
 * @example
 * await kMeans({ data: new Float32Array(8 * 4), shape: [8, 4] }, { clusters: 2 });
 * await kMeans("features.safetensors", { clusters: 10 }); // as `dcr encode --out features.safetensors` wrote it
 */
export type Features =
  | tf.Tensor
  | readonly ArrayLike<number>[]
  | { readonly data: ArrayLike<number>; readonly shape: readonly number[] }
  | { readonly data: ArrayLike<number>; readonly dims: readonly number[]; readonly type?: string }
  | SafetensorsFile;

/**
 * Checks features and puts them on the device.
 *
 * @param name how errors name them, such as `"kMeans: features"`
 * @returns float32 `[n, dim]`; the caller disposes it
 * @throws unless they are a matrix of finite numbers with a row and a column, naming the first row that is not finite
 */
export async function openFeatures(name: string, features: Features): Promise<tf.Tensor2D> {
  const x = isFile(features)
    ? toTensor(name, await readSavedFeatures(name, features))
    : toTensor(name, features);
  const finite = tf.tidy(() => tf.all(tf.isFinite(x), 1));
  try {
    const bad = (await finite.data()).findIndex((value) => !value);
    if (bad >= 0) throw new RangeError(`${name} must be finite, row ${bad} is not`);
    return x;
  } catch (error) {
    x.dispose();
    throw error;
  } finally {
    finite.dispose();
  }
}

/**
 * Opens several features of one width; disposes those that are open where one is refused.
 *
 * @param caller the public function, for errors
 * @returns a tensor for each name; the caller disposes all
 */
export async function openSameWidth<K extends string>(
  caller: string,
  inputs: Readonly<Record<K, Features>>,
): Promise<Record<K, tf.Tensor2D>> {
  const opened: Partial<Record<K, tf.Tensor2D>> = {};
  try {
    for (const name of Object.keys(inputs) as K[]) {
      opened[name] = await openFeatures(`${caller}: ${name}`, inputs[name]);
    }
    const tensors = Object.entries(opened) as [K, tf.Tensor2D][];
    if (new Set(tensors.map(([, { shape }]) => shape[1])).size > 1) {
      const given = tensors.map(([name, { shape }]) => `${name} [${shape}]`).join(", ");
      throw new Error(`${caller}: expected features of one width, got ${given}`);
    }
    return opened as Record<K, tf.Tensor2D>;
  } catch (error) {
    tf.dispose(opened as tf.NamedTensorMap);
    throw error;
  }
}

const isFile = (features: Features): features is SafetensorsFile =>
  typeof features === "string" || features instanceof ArrayBuffer || features instanceof Uint8Array;

/** Puts features that are in memory on the device, unlike {@link openFeatures} without a look at their numbers; the caller disposes them. */
export function toTensor(name: string, features: Exclude<Features, SafetensorsFile>): tf.Tensor2D {
  if (features instanceof tf.Tensor) {
    if (features.isDisposed) throw new Error(`${name} is disposed`);
    checkShape(name, features.shape);
    if (!["float32", "int32", "bool"].includes(features.dtype)) {
      throw new TypeError(`${name} must hold numbers, got dtype ${features.dtype}`);
    }
    return (features.dtype === "float32" ? tf.clone(features) : tf.cast(features, "float32")) as tf.Tensor2D;
  }
  if (Array.isArray(features)) return fromRows(name, features);
  const {
    data: given,
    dims,
    shape = dims,
    type,
  } = (features ?? {}) as {
    data?: ArrayLike<number>;
    shape?: readonly number[];
    dims?: readonly number[];
    type?: string;
  };
  if (given === undefined || !Array.isArray(shape)) {
    throw new TypeError(
      `${name} must be a tensor [n, dim], a list of rows, { data, shape } or a safetensors file, got ${describe(features)}`,
    );
  }
  const data = type === undefined ? given : decode(name, type, given);
  checkEntries(`${name}.data`, data);
  checkShape(name, shape);
  if (data.length !== shape[0] * shape[1]) {
    throw new Error(`${name} must hold ${shape[0] * shape[1]} numbers for [${shape}], got ${data.length}`);
  }
  return tf.tensor2d(
    data instanceof Float32Array ? data.slice() : Float32Array.from(data),
    shape as [number, number],
  );
}

/** The arrays that ONNX Runtime has the elements of a type in. */
const arrays: Record<string, readonly string[]> = {
  float32: ["Float32Array"],
  // The bits where a JavaScript has no Float16Array.
  float16: ["Uint16Array", "Float16Array"],
  float64: ["Float64Array"],
  int8: ["Int8Array"],
  uint8: ["Uint8Array"],
  int16: ["Int16Array"],
  uint16: ["Uint16Array"],
  int32: ["Int32Array"],
  uint32: ["Uint32Array"],
  bool: ["Uint8Array"],
};

/** The numbers of a tensor of ONNX Runtime. @throws on another type, and where the array is not of its type */
function decode(name: string, type: string, data: ArrayLike<number>): ArrayLike<number> {
  checkChoice(`${name}.type`, type, Object.keys(arrays));
  const kind = (data as object | null)?.constructor?.name ?? "";
  // Numbers of a list, such as JSON's, are as they are; those of float16 could be bits.
  if (!arrays[type].includes(kind) && !(Array.isArray(data) && type !== "float16")) {
    throw new TypeError(
      `${name}.data must be a ${arrays[type].join(" or ")} for type ${JSON.stringify(type)}, got ${describe(data)}`,
    );
  }
  return type === "float16" && data instanceof Uint16Array ? float16ToFloat32Array(data) : data;
}

function fromRows(name: string, rows: readonly ArrayLike<number>[]): tf.Tensor2D {
  for (const [i, row] of rows.entries()) {
    checkEntries(`${name}[${i}]`, row);
    if (row.length !== rows[0].length) {
      throw new Error(
        `${name} must have rows of one length, got ${rows[0].length} in row 0 and ${row.length} in row ${i}`,
      );
    }
  }
  const shape: [number, number] = [rows.length, rows[0]?.length ?? 0];
  checkShape(name, shape);
  const data = new Float32Array(shape[0] * shape[1]);
  for (const [i, row] of rows.entries()) data.set(row, i * shape[1]);
  return tf.tensor2d(data, shape);
}

function checkShape(name: string, shape: readonly number[]): void {
  if (shape.length === 2 && shape.every((size) => Number.isSafeInteger(size) && size > 0)) return;
  throw new Error(`${name} must be [n, dim], n and dim at least 1, got [${shape}]`);
}

/** @throws unless it is an array of numbers: the text "2" and null would count as 2 and 0 */
function checkEntries(name: string, value: unknown): asserts value is ArrayLike<number> {
  const isTyped = ArrayBuffer.isView(value) && !(value instanceof DataView);
  if (!Array.isArray(value) && !isTyped) {
    throw new TypeError(`${name} must be an array of numbers, got ${describe(value)}`);
  }
  const entries = value as ArrayLike<unknown>;
  const bad = isTyped
    ? typeof (entries[0] ?? 0) === "number"
      ? -1
      : 0
    : (entries as unknown[]).findIndex((entry) => typeof entry !== "number");
  if (bad >= 0) throw new TypeError(`${name}[${bad}] must be a number, got ${describe(entries[bad])}`);
}
