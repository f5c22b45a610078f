import * as tf from "@tensorflow/tfjs-core";
import { float16ToFloat32Array } from "../../io/half-floats.js";
import type { HostValues } from "./host-values.js";

/** How the backend keeps a float32 tensor's values in memory: as they are, or each rounded to a float16 of half the size. */
export type FloatStorage = "float32" | "float16";

/** Host copies of at most this many elements are kept, so that scalars and indices can be read at once. */
export const keptElements = 4096;

/** Says of an unmaterialized store what it is. */
export const madeInWarm = "holds nothing: it was made inside warm()";

/** Where values lie. */
export interface Store {
  /** That of the tensor it was made for. */
  shape: readonly number[];
  size: number;
  /** On the device; made when a kernel first asks for it. */
  buffer: GPUBuffer | null;
  /** On the host, until uploaded; small ones stay. */
  host: HostValues | null;
  /** Whether float32 values are, or will be, float16 on the device. */
  half: boolean;
  /** Of a `half` one the bits, until uploaded, where it was made from these. */
  bits: Uint16Array<ArrayBuffer> | null;
  /** How many data have it. */
  users: number;
  /** Whether it was made while `warm` ran, so that nothing ever wrote it. */
  unmaterialized?: boolean;
}

export const newStore = (shape: readonly number[], half = false): Store => ({
  shape,
  size: tf.util.sizeFromShape(shape as number[]),
  buffer: null,
  host: null,
  half,
  bits: null,
  users: 1,
});

/** Elements on the device are 32 bits wide, but for float16 ones; bool is stored as i32 0 or 1. */
export const bytesOf = ({ size, half }: Store) => size * (half ? 2 : 4);

/** Values that need not be read from the device, or null. */
export const knownValues = ({ host, bits, size }: Store): HostValues | null =>
  host ?? (bits && float16ToFloat32Array(bits.subarray(0, size)));
