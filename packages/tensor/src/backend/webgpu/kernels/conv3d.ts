import * as tf from "@tensorflow/tfjs-core";
import { conv, convFilterGradient, convInputGradient } from "./conv.js";
import type { Attributes, Kernel, KernelTable } from "./kernel.js";
import { type Window, windowOf } from "./window.js";

type Shape = [number, number, number, number, number];

/** tfjs's volumes are NDHWC. */
const geometry = (xShape: number[], filterShape: number[], { strides, dilations, pad }: Attributes): Window =>
  windowOf(
    tf.backend_util.computeConv3DInfo(xShape as Shape, filterShape as Shape, strides, dilations ?? 1, pad),
  );

const forward: Kernel = ({ inputs: { x, filter }, attrs, backend }) =>
  conv(backend, { name: "Conv3D", x, filter, window: geometry(x.shape, filter.shape, attrs) });

const backpropInput: Kernel = ({ inputs: { dy, filter }, attrs, backend }) => {
  const window = geometry(attrs.inputShape, filter.shape, attrs);
  return convInputGradient(backend, { name: "Conv3DBackpropInputV2", dy, filter, window });
};

const backpropFilter: Kernel = ({ inputs: { x, dy }, attrs, backend }) => {
  const window = geometry(x.shape, attrs.filterShape, attrs);
  return convFilterGradient(backend, { name: "Conv3DBackpropFilterV2", x, dy, window });
};

export const conv3dKernels: KernelTable = {
  Conv3D: forward,
  Conv3DBackpropInputV2: backpropInput,
  Conv3DBackpropFilterV2: backpropFilter,
};
