import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { compensatedSum, compensationUniforms } from "./compensated-sum.js";
import { applyFusedActivation, fusedActivationOf } from "./epilogue.js";
import type { Attributes, Kernel, KernelTable } from "./kernel.js";
import { launchRows } from "./row-launch.js";
import {
  join,
  overInputs,
  overOutputs,
  positionCount,
  split,
  tapCount,
  type Window,
  windowOf,
  windowUniforms,
} from "./window.js";

type Shape = [number, number, number, number];

// A filter [height, width, channels, multiplier] is [taps, outChannels]: an output channel belongs to one input channel.
const geometry = (xShape: number[], filterShape: number[], attrs: Attributes): Window =>
  windowOf(
    tf.backend_util.computeConv2DInfo(
      xShape as Shape,
      filterShape as Shape,
      attrs.strides,
      attrs.dilations ?? 1,
      attrs.pad,
      attrs.dimRoundingMode,
      true,
    ),
  );

const uniforms = (window: Window) => [
  ...windowUniforms(window),
  u32("multiplier", window.channels === 0 ? 0 : window.outChannels / window.channels),
];

function depthwise(backend: WebGPUBackend, x: TensorInfo, filter: TensorInfo, attrs: Attributes): TensorInfo {
  const window = geometry(x.shape, filter.shape, attrs);
  const { axes } = window;
  const output = backend.activation(window.outShape);
  backend.launch({
    name: "DepthwiseConv2dNative",
    key: "",
    inputs: [
      { name: "x", info: x },
      { name: "filterValues", info: filter },
    ],
    outputs: [{ name: "result", info: output }],
    count: positionCount(window) * window.outChannels,
    uniforms: uniforms(window),
    body: () => `let outChannel = index % u.outChannels;
  let channel = outChannel / u.multiplier;
  let position = index / u.outChannels;
  ${split(axes, "out", "position")}
  var sum = 0.0;
  ${overInputs(
    window,
    `sum = fma(load_x(${join(axes, "in")} * u.channels + channel),
    load_filterValues(${join(axes, "size")} * u.outChannels + outChannel), sum);`,
  )}
  store_result(index, sum);`,
  });
  return output;
}

const forward: Kernel = ({ inputs: { x, filter }, attrs, backend }) => depthwise(backend, x, filter, attrs);

const fused: Kernel = ({ inputs, attrs, backend }) =>
  applyFusedActivation(
    backend,
    depthwise(backend, inputs.x, inputs.filter, attrs),
    fusedActivationOf(inputs, attrs),
  );

const backpropInput: Kernel = ({ inputs: { dy, filter }, attrs, backend }) => {
  const window = geometry(attrs.inputShape, filter.shape, attrs);
  const { axes } = window;
  const dx = backend.output(window.inShape, "float32");
  backend.launch({
    name: "DepthwiseConv2dNativeBackpropInput",
    key: "",
    inputs: [
      { name: "dy", info: dy },
      { name: "filterValues", info: filter },
    ],
    outputs: [{ name: "result", info: dx }],
    count: tf.util.sizeFromShape(window.inShape),
    uniforms: uniforms(window),
    body: () => `let channel = index % u.channels;
  let position = index / u.channels;
  ${split(axes, "in", "position")}
  var sum = 0.0;
  ${overOutputs(
    window,
    `let dyAt = ${join(axes, "out")} * u.outChannels + channel * u.multiplier;
  let filterAt = ${join(axes, "size")} * u.outChannels + channel * u.multiplier;
  for (var j = 0u; j < u.multiplier; j++) { sum = fma(load_dy(dyAt + j), load_filterValues(filterAt + j), sum); }`,
  )}
  store_result(index, sum);`,
  });
  return dx;
};

/** One row for each element of the filter, which goes through all output positions. */
const backpropFilter: Kernel = ({ inputs: { x, dy }, attrs, backend }) => {
  const window = geometry(x.shape, attrs.filterShape, attrs);
  const { axes } = window;
  const gradient = backend.output(window.filterShape, "float32");
  launchRows(backend, {
    name: "DepthwiseConv2dNativeBackpropFilter",
    inputs: [
      { name: "x", info: x },
      { name: "dy", info: dy },
    ],
    outputs: [{ name: "result", info: gradient }],
    rows: tapCount(window) * window.outChannels,
    rowLength: positionCount(window),
    uniforms: [...compensationUniforms, ...uniforms(window), u32("positions", positionCount(window))],
    body: `let outChannel = row % u.outChannels;
  let channel = outChannel / u.multiplier;
  let tap = row / u.outChannels;
  ${split(axes, "size", "tap")}
  ${compensatedSum({
    first: "invocation",
    step: "invocations",
    end: "u.positions",
    index: "position",
    before: `${split(axes, "out", "position")}
    ${axes.map(({ name: a }) => `let at${a} = to${a} * u.stride${a} + tap${a} * u.dilation${a} - u.before${a};`).join("\n    ")}
    if (${axes.map(({ name: a }) => `at${a} >= u.in${a}`).join(" || ")}) { continue; }`,
    sums: {
      sum: {
        term: `load_x(${join(axes, "in")} * u.channels + channel) * load_dy(position * u.outChannels + outChannel)`,
      },
    },
  })}
  let total = workgroupSum(sum);
  if (invocation == 0u) { store_result(row, total); }`,
  });
  return gradient;
};

export const depthwiseConv2dKernels: KernelTable = {
  DepthwiseConv2dNative: forward,
  FusedDepthwiseConv2D: fused,
  DepthwiseConv2dNativeBackpropInput: backpropInput,
  DepthwiseConv2dNativeBackpropFilter: backpropFilter,
};
