import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { u32 } from "../launch.js";
import { compensatedSum, compensationUniforms } from "./compensated-sum.js";
import { type Attributes, elementType, type Kernel, type KernelTable } from "./kernel.js";
import { maximumTaps, windowGradient, windowMaximum } from "./pool.js";
import { launchRows } from "./row-launch.js";
import { positionCount, tapCount, type Window, windowOf } from "./window.js";

// Grey-scale dilation: the maximum over a window of the image plus a structuring filter. Its gradients follow the maximum.

const geometry = (x: TensorInfo, filter: TensorInfo, { strides, pad, dilations }: Attributes): Window =>
  windowOf(
    tf.backend_util.computeDilation2DInfo(
      x.shape as [number, number, number, number],
      filter.shape as [number, number, number],
      strides,
      pad,
      "NHWC",
      dilations,
    ),
  );

const dilation: Kernel = ({ inputs: { x, filter }, attrs, backend }) =>
  windowMaximum(backend, x, { name: "Dilation2D", window: geometry(x, filter, attrs), filter });

const backpropInput: Kernel = ({ inputs: { x, filter, dy }, attrs, backend }) => {
  const name = "Dilation2DBackpropInput";
  const window = geometry(x, filter, attrs);
  const taps = maximumTaps(backend, x, { name, window, filter });
  const dx = windowGradient(backend, dy, { name, window, taps });
  backend.disposeAll(taps);
  return dx;
};

/** One row for each element of the filter, which goes through all windows. */
const backpropFilter: Kernel = ({ inputs: { x, filter, dy }, attrs, backend }) => {
  const name = "Dilation2DBackpropFilter";
  const window = geometry(x, filter, attrs);
  const taps = maximumTaps(backend, x, { name, window, filter });
  const gradient = backend.output(filter.shape, filter.dtype);
  launchRows(backend, {
    name,
    key: "sum",
    inputs: [
      { name: "taps", info: taps },
      { name: "dy", info: dy },
    ],
    outputs: [{ name: "result", info: gradient }],
    rows: tapCount(window) * window.channels,
    rowLength: positionCount(window),
    uniforms: [
      ...compensationUniforms,
      u32("channels", window.channels),
      u32("positions", positionCount(window)),
    ],
    body: `let tap = i32(row / u.channels);
  ${compensatedSum({
    first: "invocation",
    step: "invocations",
    end: "u.positions",
    index: "position",
    before: `let dyAt = position * u.channels + row % u.channels;
    if (load_taps(dyAt) != tap) { continue; }`,
    sums: { sum: { term: "f32(load_dy(dyAt))" } },
  })}
  let total = workgroupSum(sum);
  if (invocation == 0u) { store_result(row, ${elementType(filter.dtype)}(total)); }`,
  });
  backend.disposeAll(taps);
  return gradient;
};

export const dilation2dKernels: KernelTable = {
  Dilation2D: dilation,
  Dilation2DBackpropInput: backpropInput,
  Dilation2DBackpropFilter: backpropFilter,
};
