import type { BackendValues, DataType } from "@tensorflow/tfjs-core";

/** A tensor's values as the backend keeps them on the host; strings are UTF-8. */
export type HostValues = Float32Array | Int32Array | Uint8Array | Uint8Array[];

/** Values as tfjs hands them over, in the array of their dtype. */
export function hostValues(values: BackendValues, dtype: DataType): HostValues {
  if (dtype === "string") return values as Uint8Array[];
  if (dtype === "float32")
    return values instanceof Float32Array ? values : Float32Array.from(values as ArrayLike<number>);
  if (dtype === "int32")
    return values instanceof Int32Array ? values : Int32Array.from(values as ArrayLike<number>);
  return values instanceof Uint8Array ? values : Uint8Array.from(values as ArrayLike<number>);
}

/** What was read from the device, where a bool is an i32. */
export function valuesOfWords(words: ArrayBuffer, dtype: DataType): Float32Array | Int32Array | Uint8Array {
  if (dtype === "float32") return new Float32Array(words);
  const whole = new Int32Array(words);
  return dtype === "bool" ? Uint8Array.from(whole) : whole;
}

/** What a tensor holds that nothing was written to. */
export function emptyValues(dtype: DataType, size = 0): BackendValues {
  if (dtype === "string") return [];
  if (dtype === "float32") return new Float32Array(size);
  return dtype === "int32" ? new Int32Array(size) : new Uint8Array(size);
}

/** The even or the odd elements of interleaved complex values. */
export const everySecond = (values: ArrayLike<number>, first: 0 | 1): Float32Array =>
  Float32Array.from({ length: values.length / 2 }, (_, i) => values[2 * i + first]);
