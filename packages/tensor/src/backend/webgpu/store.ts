import * as tf from "@tensorflow/tfjs-core";
import { float16ToFloat32Array } from "../../shared/half-floats.js";
import type { HostValues } from "./host-values.js";

/** How a float32 tensor's values lie in memory: as float32, or each rounded to float16, which takes half the bytes. */
export type FloatStorage = "float32" | "float16";

/** Host copies of at most this many elements are kept, so that scalars and indices can be read at once. */
export const keptElements = 4096;

/** Says why an unmaterialized store has no values. */
export const madeInWarm = "holds nothing: it was made inside warm()";

/** Holds the values of a tensor, on the host or on the device. */
export interface Store {
  /** The shape of the tensor that it was made for. */
  shape: readonly number[];
  size: number;
  /** The values on the device; it is allocated when a kernel first needs it. */
  buffer: GPUBuffer | null;
  /** The values on the host, until they are uploaded; those of a small tensor stay. */
  host: HostValues | null;
  /** Whether float32 values are, or will be, float16 on the device. */
  half: boolean;
  /** The float16 bits that a `half` store was made from, until they are uploaded. */
  bits: Uint16Array<ArrayBuffer> | null;
  /** How many tensors' data share it. */
  users: number;
  /** Whether it is expected to stay, as a weight does. */
  isLasting?: boolean;
  /** Whether it was made inside `warm`, where no kernel runs: it has no values. */
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
