import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { positionCount, type Window, windowOf } from "../webgpu/kernels/window.js";
import type { Attrs, Call, Inputs, Kernel } from "./kernel.js";
import { withScratch } from "./memory.js";
import type { WasmBackend } from "./simd-kernels.js";

// Of what slides a window, tfjs-backend-wasm lacks the gradients of depthwise convolution. It has, but gets wrong, maxima
// that are negative (all but MaxPool's value), and both gradients of Conv3D.

type Shape3D = [number, number, number];
type Shape4D = [number, number, number, number];
type Shape5D = [number, number, number, number, number];

const { computeConv2DInfo, computeConv3DInfo, computeDilation2DInfo, computePool2DInfo, computePool3DInfo } =
  tf.backend_util;

function poolWindow(shape: number[], { filterSize, strides, pad, dimRoundingMode }: Attrs): Window {
  const info =
    shape.length === 4
      ? computePool2DInfo(shape as Shape4D, filterSize, strides, 1, pad, dimRoundingMode)
      : computePool3DInfo(shape as Shape5D, filterSize, strides, 1, pad, dimRoundingMode);
  return windowOf(info);
}

const dilationWindow = ({ x, filter }: Inputs, { strides, pad, dilations }: Attrs): Window =>
  windowOf(
    computeDilation2DInfo(x.shape as Shape4D, filter.shape as Shape3D, strides, pad, "NHWC", dilations),
  );

/** Runs `body` with the window where assembly/window.ts reads it. */
function withWindow(backend: WasmBackend, window: Window, body: (pointer: number) => void): void {
  const { batch, channels, outChannels, axes } = window;
  const flat = { input: 1, output: 1, size: 1, stride: 1, dilation: 1, before: 0 };
  const three = [...(axes.length === 2 ? [flat] : []), ...axes];
  const fields = three.flatMap(({ input, output, size, stride, dilation, before }) => [
    input,
    output,
    size,
    stride,
    dilation,
    before,
  ]);
  withScratch(backend, 4 * 21, (pointer) => {
    new Int32Array(backend.wasm.HEAPU8.buffer).set([batch, channels, outChannels, ...fields], pointer / 4);
    body(pointer);
  });
}

function zeros({ backend, output }: Call, shape: number[]): TensorInfo {
  const info = output(shape);
  backend.typedArrayFromHeap(info).fill(0);
  return info;
}

/** Runs `body` with the maxima of windows and the taps that they are at. */
function withMaxima(
  { backend, kernels, at }: Call,
  window: Window,
  x: TensorInfo,
  filter: TensorInfo | null,
  y: TensorInfo | null,
  body: (windowAt: number, taps: number) => void,
): void {
  const bytes = 4 * positionCount(window) * window.channels;
  withScratch(backend, 2 * bytes, (scratch) =>
    withWindow(backend, window, (pointer) => {
      const values = y ? at(y) : scratch + bytes;
      kernels.windowMaximum(pointer, at(x), filter ? at(filter) : 0, values, scratch);
      body(pointer, scratch);
    }),
  );
}

const maxPool3d: Kernel = (call) => {
  const window = poolWindow(call.inputs.x.shape, call.attrs);
  const y = call.output(window.outShape);
  withMaxima(call, window, call.inputs.x, null, y, () => {});
  return y;
};

const maxPoolGradient: Kernel = (call) => {
  const { dy, input } = call.inputs;
  const window = poolWindow(input.shape, call.attrs);
  // tfjs passes no rounding mode to gradients in two dimensions: the number of windows is that of dy.
  const axes = window.axes.map((axis, i) => ({ ...axis, output: dy.shape[i + 1] }));
  const dx = zeros(call, input.shape);
  withMaxima(call, { ...window, axes }, input, null, null, (pointer, taps) =>
    call.kernels.maximumGradient(pointer, taps, call.at(dy), call.at(dx), 0),
  );
  return dx;
};

const dilation2d: Kernel = (call) => {
  const window = dilationWindow(call.inputs, call.attrs);
  const y = call.output(window.outShape);
  withMaxima(call, window, call.inputs.x, call.inputs.filter, y, () => {});
  return y;
};

const dilation2dGradient =
  (which: "x" | "filter"): Kernel =>
  (call) => {
    const { x, filter, dy } = call.inputs;
    const gradient = zeros(call, call.inputs[which].shape);
    const [dx, dfilter] = which === "x" ? [call.at(gradient), 0] : [0, call.at(gradient)];
    withMaxima(call, dilationWindow(call.inputs, call.attrs), x, filter, null, (pointer, taps) =>
      call.kernels.maximumGradient(pointer, taps, call.at(dy), dx, dfilter),
    );
    return gradient;
  };

const imageWindow =
  (isDepthwise: boolean) =>
  (x: number[], filter: number[], attrs: Attrs): Window => {
    const { strides, dilations, pad, dimRoundingMode } = attrs;
    const info = computeConv2DInfo(
      x as Shape4D,
      filter as Shape4D,
      strides,
      dilations ?? 1,
      pad,
      dimRoundingMode,
      isDepthwise,
    );
    return windowOf(info);
  };

const volumeWindow = (x: number[], filter: number[], { strides, pad }: Attrs): Window =>
  windowOf(computeConv3DInfo(x as Shape5D, filter as Shape5D, strides, 1, pad));

/** A gradient of a convolution; tfjs gives the shape of what is not an input as an attribute. */
const convGradient =
  (full: boolean, windowFor: (x: number[], filter: number[], attrs: Attrs) => Window): Kernel =>
  (call) => {
    const { inputs, attrs, backend, kernels, at } = call;
    const { x, filter, dy } = inputs;
    const window = windowFor(x?.shape ?? attrs.inputShape, filter?.shape ?? attrs.filterShape, attrs);
    const gradient = zeros(call, x ? attrs.filterShape : attrs.inputShape);
    const [dx, dw] = x ? [0, at(gradient)] : [at(gradient), 0];
    const totalBytes = x ? 8 * tf.util.sizeFromShape(gradient.shape) : 0;
    withScratch(backend, totalBytes, (totals) =>
      withWindow(backend, window, (pointer) => {
        backend.wasm.HEAPU8.fill(0, totals, totals + totalBytes);
        const operands = [x ? at(x) : 0, filter ? at(filter) : 0, at(dy)];
        kernels.windowGradient(pointer, full ? 1 : 0, ...operands, dx, dw, totals);
      }),
    );
    return gradient;
  };

const depthwiseGradient = convGradient(false, imageWindow(true));
const conv3dGradient = convGradient(true, volumeWindow);

/** Both gradients of Conv2D without products of zeros, for filters and gradients that are not finite: 0 times infinity is NaN. */
export const conv2dGradientWithoutPadding = convGradient(true, imageWindow(false));

export const windowKernels: Record<string, Kernel> = {
  MaxPoolGrad: maxPoolGradient,
  MaxPool3D: maxPool3d,
  MaxPool3DGrad: maxPoolGradient,
  Dilation2D: dilation2d,
  Dilation2DBackpropInput: dilation2dGradient("x"),
  Dilation2DBackpropFilter: dilation2dGradient("filter"),
  DepthwiseConv2dNativeBackpropInput: depthwiseGradient,
  DepthwiseConv2dNativeBackpropFilter: depthwiseGradient,
  Conv3DBackpropInputV2: conv3dGradient,
  Conv3DBackpropFilterV2: conv3dGradient,
};
