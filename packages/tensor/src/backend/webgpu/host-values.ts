import type { BackendValues, DataType } from "@tensorflow/tfjs-core";
import { float16ToFloat32Array, float32ToFloat16Array } from "../../shared/half-floats.js";

/** A tensor's values as the backend keeps them on the host; strings are UTF-8. */
export type HostValues = Float32Array | Int32Array | Uint8Array | Uint8Array[];

/** Puts values that tfjs passes into the array type of their dtype. */
export function hostValues(values: BackendValues, dtype: DataType): HostValues {
  if (dtype === "string") return values as Uint8Array[];
  if (dtype === "float32")
    return values instanceof Float32Array ? values : Float32Array.from(values as ArrayLike<number>);
  if (dtype === "int32")
    return values instanceof Int32Array ? values : Int32Array.from(values as ArrayLike<number>);
  return values instanceof Uint8Array ? values : Uint8Array.from(values as ArrayLike<number>);
}

/** Converts values to the device's form: a bool is an i32 there, and with `half` a float32 is a float16. */
export function wordsOfValues(
  values: HostValues,
  dtype: DataType,
  half: boolean,
): ArrayBufferView<ArrayBuffer> {
  if (half) return wholeWords(float32ToFloat16Array(values as Float32Array));
  return dtype === "bool" ? Int32Array.from(values as Uint8Array) : (values as Float32Array<ArrayBuffer>);
}

/** Appends a zero to an odd number of float16 values, since the device is written by words of four bytes. */
export function wholeWords(halves: Uint16Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  if (halves.length % 2 === 0) return halves;
  const words = new Uint16Array(halves.length + 1);
  words.set(halves);
  return words;
}

/** Converts from the device's form. `halves` is the number of float16 elements, or null where elements are words. */
export function valuesOfWords(
  words: ArrayBuffer,
  dtype: DataType,
  halves: number | null,
): Float32Array | Int32Array | Uint8Array {
  if (halves !== null) return float16ToFloat32Array(new Uint16Array(words, 0, halves));
  if (dtype === "float32") return new Float32Array(words);
  const whole = new Int32Array(words);
  return dtype === "bool" ? Uint8Array.from(whole) : whole;
}

/** The values of a tensor that nothing was written to. */
export function emptyValues(dtype: DataType, size = 0): BackendValues {
  if (dtype === "string") return [];
  if (dtype === "float32") return new Float32Array(size);
  return dtype === "int32" ? new Int32Array(size) : new Uint8Array(size);
}

/** The even or the odd elements of interleaved complex values. */
export const everySecond = (values: ArrayLike<number>, first: 0 | 1): Float32Array =>
  Float32Array.from({ length: values.length / 2 }, (_, i) => values[2 * i + first]);
