import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { KernelFunc, TensorInfo, TypedArray } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { sumSegments } from "../sum-segments.js";
import { type Running, running } from "./running.js";

// Sums in float64 of what tfjs-backend-cpu adds one by one in float32, where a million equal terms lose two digits.

type Params = Parameters<KernelFunc>[0];
type Correction = (theirs: KernelFunc) => KernelFunc;

const valuesOf = (params: Params, { dataId }: TensorInfo) =>
  (params.backend as MathBackendCPU).data.get(dataId).values as TypedArray;

/** It multiplies all of x by 0 and 1 for each segment: slow for many, NaN everywhere for one infinity, and float32 for int32. */
const unsortedSegmentSum: Correction = () => (params) => {
  const { x, segmentIds } = params.inputs as Record<"x" | "segmentIds", TensorInfo>;
  const tail = x.shape.slice(segmentIds.shape.length);
  const shape = [(params.attrs as { numSegments: number }).numSegments, ...tail];
  const dtype = x.dtype === "float32" ? "float32" : "int32";
  const result = tf.util.getArrayFromDType(dtype, tf.util.sizeFromShape(shape));
  sumSegments(result, valuesOf(params, x), {
    ids: valuesOf(params, segmentIds),
    inner: tf.util.sizeFromShape(tail),
  });
  return (params.backend as MathBackendCPU).makeTensorInfo(shape, dtype, result);
};

const scatterNd: Correction = (theirs) => (params) => {
  // Theirs refuses indices out of range.
  const y = theirs(params) as TensorInfo;
  const { indices, updates } = params.inputs as Record<"indices" | "updates", TensorInfo>;
  if (updates.dtype !== "float32") return y;
  const { sliceRank, numUpdates, sliceSize, strides } = tf.scatter_util.calculateShapes(
    updates as tf.Tensor,
    indices as tf.Tensor,
    y.shape,
  );
  const places = valuesOf(params, indices);
  const ids = Array.from({ length: numUpdates }, (_, i) =>
    strides.reduce((sum, step, axis) => sum + step * places[i * sliceRank + axis], 0),
  );
  sumSegments(valuesOf(params, y) as Float32Array, valuesOf(params, updates), { ids, inner: sliceSize });
  return y;
};

/** Sums of weights by the numbers that they go with. Theirs takes no notice of `binaryOutput` for a single row. */
const bincount: Correction = (theirs) => (params) => {
  const y = theirs(params) as TensorInfo;
  const { x, weights } = params.inputs as Record<"x" | "weights", TensorInfo>;
  const { size, binaryOutput } = params.attrs as unknown as { size: number; binaryOutput?: boolean };
  const isWeighted = weights.dtype === "float32" && tf.util.sizeFromShape(weights.shape) > 0;
  if (!isWeighted && !binaryOutput) return y;
  const columns = x.shape.at(-1) ?? 1;
  const ids = Array.from(valuesOf(params, x), (bin, i) =>
    bin < size ? Math.floor(i / columns) * size + bin : -1,
  );
  const sums = valuesOf(params, y) as Float32Array;
  if (binaryOutput) for (const id of ids) if (id >= 0) sums[id] = 1;
  if (!binaryOutput) sumSegments(sums, valuesOf(params, weights), { ids, inner: 1 });
  return y;
};

const cumsum: Correction = (theirs) => (params) => {
  const { x } = params.inputs as { x: TensorInfo };
  if (x.dtype !== "float32") return theirs(params);
  const result = new Float32Array(tf.util.sizeFromShape(x.shape));
  const step = (total: number, value: number) => {
    const next = total + value;
    // An infinity of float32 stays one.
    return Number.isFinite(Math.fround(next)) ? next : Math.fround(next);
  };
  running(
    result,
    { from: valuesOf(params, x), shape: x.shape, start: 0, step },
    params.attrs as unknown as Running,
  );
  return (params.backend as MathBackendCPU).makeTensorInfo(x.shape, "float32", result);
};

export const longSums: Record<string, Correction> = {
  UnsortedSegmentSum: unsortedSegmentSum,
  ScatterNd: scatterNd,
  Bincount: bincount,
  DenseBincount: bincount,
  Cumsum: cumsum,
};
