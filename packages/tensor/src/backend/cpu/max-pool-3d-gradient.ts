import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

type Shape = [number, number, number, number, number];

/**
 * The gradient of MaxPool3D: each window's `dy` goes to its first maximum, as in two dimensions and in PyTorch. tfjs-backend-cpu takes the
 * last one, and another element where a window's height and width differ.
 */
export const maxPool3dGradient: KernelFunc = ({ inputs, attrs, backend }) => {
  const host = backend as MathBackendCPU;
  const { dy, input } = inputs as Record<"dy" | "input", TensorInfo>;
  const { filterSize, strides, pad, dimRoundingMode } = attrs as unknown as {
    filterSize: number | [number, number, number];
    strides: number | [number, number, number];
    pad: "same" | "valid" | number;
    dimRoundingMode?: "floor" | "round" | "ceil";
  };
  const info = tf.backend_util.computePool3DInfo(
    input.shape as Shape,
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  const [x, gradient] = [input, dy].map(({ dataId }) => host.data.get(dataId).values as tf.TypedArray);
  const dx = new Float32Array(x.length);
  const { inDepth, inHeight, inWidth, inChannels, outDepth, outHeight, outWidth, padInfo } = info;
  /** The places of an axis that the window at `place` covers. */
  const covered = (place: number, stride: number, before: number, size: number, length: number) => {
    const first = place * stride - before;
    return [Math.max(0, first), Math.min(length, first + size)];
  };
  for (let i = 0; i < gradient.length; i++) {
    const channel = i % inChannels;
    const place = Math.floor(i / inChannels);
    const column = place % outWidth;
    const row = Math.floor(place / outWidth) % outHeight;
    const slice = Math.floor(place / (outWidth * outHeight)) % outDepth;
    const image = Math.floor(place / (outWidth * outHeight * outDepth));
    const [fromZ, toZ] = covered(slice, info.strideDepth, padInfo.front, info.filterDepth, inDepth);
    const [fromY, toY] = covered(row, info.strideHeight, padInfo.top, info.filterHeight, inHeight);
    const [fromX, toX] = covered(column, info.strideWidth, padInfo.left, info.filterWidth, inWidth);
    let [largest, best] = [-Infinity, -1];
    for (let z = fromZ; z < toZ; z++) {
      for (let y = fromY; y < toY; y++) {
        for (let c = fromX; c < toX; c++) {
          const at = (((image * inDepth + z) * inHeight + y) * inWidth + c) * inChannels + channel;
          if (x[at] > largest) [largest, best] = [x[at], at];
        }
      }
    }
    if (best >= 0) dx[best] += gradient[i];
  }
  return host.makeTensorInfo(input.shape, "float32", dx);
};
