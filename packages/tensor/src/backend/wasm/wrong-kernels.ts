import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Attrs, Inputs } from "./kernel.js";
import type { WasmBackend } from "./simd-kernels.js";

// Where tfjs-backend-wasm 4.22 is wrong. What is listed here runs on tfjs-backend-cpu's kernel instead.

const size = tf.util.sizeFromShape;
const words = (text: string) => new Set(text.split(" "));

/**
 * Wrong for all inputs: sine and cosine of large numbers, log1p near 0, sign below 1e-19, the dtype of floorDiv, the remainder of
 * large divisors, steps between far ends, weights of prelu that are infinite or broadcast, maxima below 0 with their places, products that
 * overflow on the way only, the largest of numbers with NaN, places of pixels that lie half-way.
 */
const always = words(
  "Cos FloorDiv LinSpace Log1p MaxPoolWithArgmax Mod Prelu Prod Sign Sin Tan TopK Transform",
);

/** Read the bits of int32 for a float, take int32 for smaller than it is, return float32, or refuse it. */
const forIntegers = words(
  "Acos Acosh Asin Asinh Atan Atanh BatchMatMul ClipByValue Cosh Elu Exp Expm1 IsFinite IsInf IsNan LeakyRelu Log MaxPool " +
    "Maximum Mean Minimum Multiply Neg Pow RealDiv Reciprocal Relu Relu6 ResizeNearestNeighbor Rsqrt Selu Sigmoid Sinh Softplus " +
    "Sqrt Square SquaredDifference Step StridedSlice Sum Tanh",
);

/** The only ones that are right for bool: others leave the result as memory was, or take each byte for four and write beyond the end. */
const rightForBools = words(
  "All Any Cast Concat Equal ExpandDims GatherNd GatherV2 Greater GreaterEqual Identity Less LessEqual LogicalAnd LogicalNot LogicalOr " +
    "LogicalXor NotEqual OnesLike Pack PadV2 Reshape Select Slice SplitV Tile Transpose Unpack ZerosLike",
);

/** Make an infinity of NaN, or NaN of what has no weight. */
const forNonFinite = words("AvgPool AvgPool3D CropAndResize MaxPool ResizeBilinear ResizeBilinearGrad");

/** The longest sum of one term after another in float32 that keeps its digits. */
const longSum = 1024;

export interface Given {
  inputs: Inputs;
  attrs: Attrs;
  backend: WasmBackend;
}

/** Whether an index lies outside: then memory of others is read or written, where tfjs-backend-cpu throws. */
function isOutside({ backend }: Given, indices: TensorInfo, shape: number[]): boolean {
  const depth = indices.shape.length > 1 ? indices.shape.at(-1)! : 1;
  const values = backend.typedArrayFromHeap(indices);
  return values.some((index, i) => index < 0 || index >= shape[i % depth]);
}

/**
 * A gradient of resizing whose kernel knows nothing of the centres of pixels, divides by 0 for a single pixel, and adds what a pixel gets
 * one by one in float32.
 */
const resizing = ({ inputs: { images, dy }, attrs }: Given): boolean =>
  attrs.halfPixelCenters ||
  (attrs.alignCorners && images.shape.slice(1, 3).includes(1)) ||
  size(dy.shape) > longSum * size(images.shape);

/** Whether some value lies outside [0, below): memory of others would be read for it. */
const exceeds = ({ backend }: Given, x: TensorInfo, below = Infinity): boolean =>
  backend.typedArrayFromHeap(x).some((value) => value < 0 || value >= below);

/** Whether a window may lie in the padding alone: there tfjs-backend-wasm takes elements from elsewhere. */
function hasEmptyWindow({ attrs: { pad, filterSize } }: Given): boolean {
  const sizes = [filterSize].flat();
  return Array.isArray(pad) && [1, 2].some((axis) => Math.max(...pad[axis]) >= (sizes[axis - 1] ?? sizes[0]));
}

/** Whether a window has too many taps for such a sum. */
const hasLongSums = ({ inputs, attrs: { filterSize } }: Given): boolean =>
  (Array.isArray(filterSize) ? size(filterSize) : filterSize ** (inputs.x.shape.length - 2)) > longSum;

/** Wrong for some inputs. */
const sometimes: Record<string, (given: Given) => boolean> = {
  Cast: ({ attrs }) => attrs.dtype === "bool",
  // It moves four bytes an element; the condition is always bool.
  Select: ({ inputs }) => inputs.t.dtype === "bool",
  // It writes int32 whatever it is asked for, beyond the end of a bool tensor.
  OneHot: ({ attrs }) => attrs.dtype !== "int32",
  // Its segment ids are always integers; ours is for sums of floats.
  UnsortedSegmentSum: ({ inputs }) => inputs.x.dtype !== "float32",
  // It rounds what it pads with to float32, and takes NaN and -0 for 0.
  PadV2: ({ attrs: { constantValue: value }, inputs }) =>
    Number.isNaN(value) ||
    Object.is(value, -0) ||
    (inputs.x.dtype === "int32" && Math.fround(value) !== value),
  GatherV2: ({ attrs }) => attrs.batchDims > 0,
  GatherNd: (given) => isOutside(given, given.inputs.indices, given.inputs.params.shape),
  TensorScatterUpdate: (given) => isOutside(given, given.inputs.indices, given.inputs.tensor.shape),
  SparseToDense: (given) => isOutside(given, given.inputs.sparseIndices, given.attrs.outputShape),
  // They add one by one in float32.
  ScatterNd: (given) =>
    given.inputs.indices.shape[0] > longSum || isOutside(given, given.inputs.indices, given.attrs.shape),
  Bincount: (given) => size(given.inputs.x.shape) > longSum || exceeds(given, given.inputs.x),
  DenseBincount: (given) => size(given.inputs.x.shape) > longSum || exceeds(given, given.inputs.x),
  Cumsum: ({ inputs, attrs }) => inputs.x.shape[attrs.axis] > longSum,
  AvgPool: (given) => hasEmptyWindow(given) || hasLongSums(given),
  AvgPool3D: hasLongSums,
  CropAndResize: (given) => exceeds(given, given.inputs.boxInd, given.inputs.image.shape[0]),
  MaxPool: hasEmptyWindow,
  ResizeBilinearGrad: resizing,
  ResizeNearestNeighborGrad: resizing,
};

/** Whether tfjs-backend-wasm's kernel, or ours for float32, is wrong for what it is given. */
export function wrongFor(
  kernelName: string,
  hasNonFinite: (x: TensorInfo) => boolean,
): (given: Given, tensors: TensorInfo[]) => boolean {
  if (always.has(kernelName)) return () => true;
  const integers = forIntegers.has(kernelName);
  const bools = !rightForBools.has(kernelName);
  const nonFinite = forNonFinite.has(kernelName);
  const some = sometimes[kernelName];
  const ranks = !rightForAllRanks.has(kernelName);
  return (given, tensors) =>
    tensors.some(
      (x) =>
        // Given no elements, or more axes than XNNPACK takes, it hands out memory as it finds it.
        size(x.shape) === 0 ||
        (ranks && x.shape.length > mostAxes) ||
        (integers && x.dtype === "int32") ||
        (bools && x.dtype === "bool") ||
        (nonFinite && hasNonFinite(x)),
    ) ||
    (some?.(given) ?? false);
}

/** How many axes the kernels of XNNPACK take, and kernels that take all since they move no element. */
const mostAxes = 6;
const rightForAllRanks = words("ExpandDims Identity Reshape");

/** The kernels of convolutions, which clamp their results to [-Infinity, Infinity]: that makes an infinity of NaN. */
export const convolutions = words("Conv2D FusedConv2D DepthwiseConv2dNative FusedDepthwiseConv2D");
