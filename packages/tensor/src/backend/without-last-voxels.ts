import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { onBackend, type Rewrite } from "./rewrite.js";

type Size = [number, number, number];

interface VolumeAttributes {
  filterSize?: Size | number;
  filterShape?: number[];
  inputShape?: number[];
  strides: Size | number;
  pad: unknown;
}

const three = (size: Size | number): Size => (typeof size === "number" ? [size, size, size] : size);

/** The volume `[batch, depth, height, width, channels]` up to the end of the last window, where strides leave out voxels behind it. */
function reached(shape: readonly number[], window: readonly number[], strides: Size): number[] {
  return shape.map((size, axis) => {
    const [length, stride] = [window[axis - 1], strides[axis - 1]];
    if (length === undefined || stride === undefined || size === 0) return size;
    return Math.min(size, (Math.ceil(size / stride) - 1) * stride + length);
  });
}

/**
 * A window over a volume with "same" padding, as one over the voxels that it reaches: where strides leave out voxels at the end, tfjs-core
 * reckons with a padding below 0, which moves every window. TensorFlow pads by none there.
 */
export const withoutLastVoxels: Rewrite = (backendName, { inputs, attrs, backend }, run) => {
  const given = attrs as unknown as VolumeAttributes;
  if (given.pad !== "same") return null;
  const named = inputs as Record<string, TensorInfo | undefined>;
  const volume = named["x"] ?? named["input"];
  const shape = volume?.shape ?? given.inputShape!;
  const window =
    given.filterSize === undefined
      ? (named["filter"]?.shape ?? given.filterShape!).slice(0, 3)
      : three(given.filterSize);
  const kept = reached(shape, window, three(given.strides));
  if (tf.util.arraysEqual(kept, shape)) return null;
  const on = onBackend(backendName, backend);
  const part = volume && on("Slice", { x: volume }, { begin: shape.map(() => 0), size: kept });
  const name = named["x"] ? "x" : "input";
  const y = run({
    inputs: part ? { ...inputs, [name]: part } : inputs,
    attrs: { ...attrs, ...(given.inputShape && { inputShape: kept }) },
    backend,
  });
  if (part) (backend as tf.KernelBackend).disposeData(part.dataId);
  // The gradient at the volume has its shape.
  if (y.shape.length !== 5 || !tf.util.arraysEqual(y.shape, kept) || !named["dy"] || named["x"]) return y;
  const paddings = shape.map((size, axis) => [0, size - kept[axis]!]);
  const whole = on("PadV2", { x: y }, { paddings, constantValue: 0 });
  (backend as tf.KernelBackend).disposeData(y.dataId);
  return whole;
};
