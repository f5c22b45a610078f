import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { conv, convFilterGradient, convInputGradient } from "./conv.js";
import { activationEpilogue, applyFusedActivation, fusedActivationOf, sumEpilogue } from "./epilogue.js";
import type { Attributes, Kernel, KernelTable } from "./kernel.js";
import { slice, transpose } from "./moves.js";
import { positionCount, type Window, windowOf } from "./window.js";

const nchwToNhwc = [0, 2, 3, 1];
const nhwcToNchw = [0, 3, 1, 2];
const isChannelsFirst = (attrs: Attributes) => attrs.dataFormat === "NCHW";

/** The kernels compute NHWC; NCHW goes there and back. */
function channelsLast(
  backend: WebGPUBackend,
  images: TensorInfo[],
  {
    attrs,
    compute,
    returnsImage = true,
  }: { attrs: Attributes; compute: (...images: TensorInfo[]) => TensorInfo; returnsImage?: boolean },
): TensorInfo {
  if (!isChannelsFirst(attrs)) return compute(...images);
  const turned = images.map((image) => transpose(backend, image, nchwToNhwc));
  const result = compute(...turned);
  backend.disposeAll(...turned);
  if (!returnsImage) return result;
  const back = transpose(backend, result, nhwcToNchw);
  backend.disposeAll(result);
  return back;
}

/** Explicit padding is given in the order of the data format. */
const padOf = (attrs: Attributes) =>
  Array.isArray(attrs.pad) && isChannelsFirst(attrs) ? nchwToNhwc.map((axis) => attrs.pad[axis]) : attrs.pad;

const geometry = (xShape: number[], filterShape: number[], attrs: Attributes): Window =>
  windowOf(
    tf.backend_util.computeConv2DInfo(
      xShape as [number, number, number, number],
      filterShape as [number, number, number, number],
      attrs.strides,
      attrs.dilations ?? 1,
      padOf(attrs),
      attrs.dimRoundingMode,
      false,
      "channelsLast",
    ),
  );

const forward = (backend: WebGPUBackend, x: TensorInfo, filter: TensorInfo, attrs: Attributes): TensorInfo =>
  conv(backend, { name: "Conv2D", x, filter, window: geometry(x.shape, filter.shape, attrs) });

const conv2dAndSum: Kernel = ({ inputs: { x, filter, bias, residual }, attrs, backend }) => {
  const window = geometry(x.shape, filter.shape, attrs);
  const epilogue = sumEpilogue([bias, residual], {
    rows: positionCount(window),
    columns: window.outChannels,
  });
  return conv(backend, { name: "Conv2D", x, filter, window, epilogue });
};

const conv2dKernel: Kernel = ({ inputs: { x, filter }, attrs, backend }) =>
  channelsLast(backend, [x], { attrs, compute: (image) => forward(backend, image, filter, attrs) });

const fusedConv2d: Kernel = ({ inputs, attrs, backend }) => {
  const { x, filter } = inputs;
  const fused = fusedActivationOf(inputs, attrs);
  if (!isChannelsFirst(attrs)) {
    const window = geometry(x.shape, filter.shape, attrs);
    const epilogue = activationEpilogue(fused, window.outChannels);
    if (epilogue) return conv(backend, { name: "Conv2D", x, filter, window, epilogue });
  }
  const product = channelsLast(backend, [x], {
    attrs,
    compute: (image) => forward(backend, image, filter, attrs),
  });
  // A vector belongs to the channels, wherever their axis is.
  const along = (info: TensorInfo | undefined) =>
    info && isChannelsFirst(attrs) && info.shape.length === 1
      ? { ...info, shape: [info.shape[0], 1, 1] }
      : info;
  const { bias, slope } = fused;
  return applyFusedActivation(backend, product, { ...fused, bias: along(bias), slope: along(slope) });
};

const backpropInput: Kernel = ({ inputs: { dy, filter }, attrs, backend }) =>
  channelsLast(backend, [dy], {
    attrs,
    compute: (gradient) => {
      const inputShape = isChannelsFirst(attrs)
        ? nchwToNhwc.map((axis) => attrs.inputShape[axis])
        : attrs.inputShape;
      const window = geometry(inputShape, filter.shape, attrs);
      // As on tfjs's other backends, only the first corner of a larger gradient counts.
      const corner = tf.util.arraysEqual(gradient.shape, window.outShape)
        ? backend.alias(gradient, gradient.shape)
        : slice(backend, gradient, { begin: [0, 0, 0, 0], size: window.outShape });
      const dx = convInputGradient(backend, { name: "Conv2DBackpropInput", dy: corner, filter, window });
      backend.disposeAll(corner);
      return dx;
    },
  });

const backpropFilter: Kernel = ({ inputs: { x, dy }, attrs, backend }) =>
  channelsLast(backend, [x, dy], {
    attrs,
    compute: (image, gradient) => {
      const window = geometry(image.shape, attrs.filterShape, attrs);
      return convFilterGradient(backend, { name: "Conv2DBackpropFilter", x: image, dy: gradient, window });
    },
    returnsImage: false,
  });

export const conv2dKernels: KernelTable = {
  Conv2D: conv2dKernel,
  Conv2DAndSum: conv2dAndSum,
  FusedConv2D: fusedConv2d,
  Conv2DBackpropInput: backpropInput,
  Conv2DBackpropFilter: backpropFilter,
};
