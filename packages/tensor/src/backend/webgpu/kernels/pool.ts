import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { f32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { compensatedSum, compensationUniforms } from "./compensated-sum.js";
import { floatFunctions } from "./float-functions.js";
import { type Attributes, elementType, type Kernel, type KernelTable } from "./kernel.js";
import { reduce } from "./reduce.js";
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

interface Reduction {
  /** WGSL before the window, for each `value` in it, and of the result. */
  start: string;
  step: string;
  result: string;
  dtype: (x: TensorInfo) => TensorInfo["dtype"];
}

/** NaN is never the maximum, and of equal values the first is. */
const maximum: Reduction = {
  start: "var best = lowest();",
  step: "if (isGreater(value, best)) { best = value; }",
  result: "best",
  dtype: (x) => x.dtype,
};

/** Where the maximum lies, by a WGSL expression of its position in the input or the window. */
const positionOfMaximum = (position: string): Reduction => ({
  start: "var best = lowest(); var position = -1;",
  step: `if (isGreater(value, best)) { best = value; position = i32(${position}); }`,
  result: "position",
  dtype: () => "int32",
});

/** Padding does not count. */
const averageOr = (ofPadding: string): Reduction => ({
  start: "var sum = 0.0; var count = 0.0;",
  step: "sum += value; count += 1.0;",
  result: `select(sum / count, ${ofPadding}, count == 0.0)`,
  dtype: () => "float32",
});

/** The averages of an image and of a volume: of padding alone tfjs has NaN and 0. */
const averages = { AvgPool: averageOr("quietNan()"), AvgPool3D: averageOr("0.0") };

/** Taps from which the rounding errors of a sum of one after another would show. */
const longSum = 1024;

const extremes = (type: string) => `${floatFunctions("isNan")}
fn lowest() -> ${type} { return ${type === "f32" ? "-infinity()" : "-2147483648"}; }
fn isGreater(a: ${type}, b: ${type}) -> bool { return a > b${type === "f32" ? " && !isNan(a)" : ""}; }`;

interface Windowed {
  name: string;
  window: Window;
  /** Added to the elements in the window. */
  filter?: TensorInfo;
}

/** Reduces `x`, with a structuring `filter` [...window, channels] added where there is one, over windows. */
function reduceWindow(
  backend: WebGPUBackend,
  x: TensorInfo,
  { name, window, filter, reduction }: Windowed & { reduction: Reduction },
): TensorInfo {
  const { axes, channels } = window;
  const { start, step, result, dtype } = reduction;
  const output =
    dtype(x) === "float32"
      ? backend.activation(window.outShape, [x])
      : backend.output(window.outShape, dtype(x));
  const type = elementType(x.dtype);
  const isLong = Object.values(averages).includes(reduction) && tapCount(window) > longSum;
  const raised = filter ? ` + ${type}(load_filterValues(${join(axes, "size")} * u.channels + channel))` : "";
  backend.launch({
    name,
    key: `${axes.length}/${step}/${raised}/${isLong}`,
    inputs: [{ name: "x", info: x }, ...(filter ? [{ name: "filterValues", info: filter }] : [])],
    outputs: [{ name: "result", info: output }],
    count: positionCount(window) * channels,
    uniforms: [...compensationUniforms, ...windowUniforms(window)],
    declarations: () => extremes(type),
    body: () => `let channel = index % u.channels;
  let outPosition = index / u.channels;
  ${split(axes, "out", "outPosition")}
  ${
    isLong
      ? compensatedAverage(window)
      : `${start}
  ${overInputs(window, `let value = load_x(${join(axes, "in")} * u.channels + channel)${raised};\n  ${step}`)}`
  }
  store_result(index, ${result});`,
  });
  return output;
}

/** WGSL of `sum` and `count` over a window, for averages, by a loop over its taps. */
function compensatedAverage(window: Window): string {
  const { axes } = window;
  const places = axes.map(
    ({ name: a }) => `let at${a} = to${a} * u.stride${a} + tap${a} * u.dilation${a} - u.before${a};`,
  );
  const isInside = axes.map(({ name: a }) => `at${a} < u.in${a}`).join(" && ");
  return `var count = 0.0;
  ${compensatedSum({
    sums: { sum: { term: "value" } },
    first: "0u",
    step: "1u",
    end: axes.map(({ name }) => `u.size${name}`).join(" * "),
    before: `${split(axes, "size", "j")}
    ${places.join(" ")}
    var value = 0.0;
    if (${isInside}) {
      value = f32(load_x(${join(axes, "in")} * u.channels + channel));
      count += 1.0;
    }`,
  })}`;
}

export const windowMaximum = (backend: WebGPUBackend, x: TensorInfo, op: Windowed) =>
  reduceWindow(backend, x, { ...op, reduction: maximum });

/** Which tap of each window holds the maximum: int32, -1 where the window is all padding. */
export const maximumTaps = (backend: WebGPUBackend, x: TensorInfo, op: Windowed) =>
  reduceWindow(backend, x, { ...op, reduction: positionOfMaximum(join(op.window.axes, "size")) });

/**
 * The gradient of a reduction at its input: each element sums `dy` over the windows that hold it, over all of them or,
 * where `taps` says which was each window's maximum, over those only; then times `scale`.
 */
export function windowGradient(
  backend: WebGPUBackend,
  dy: TensorInfo,
  { name, window, taps, scale = 1 }: Omit<Windowed, "filter"> & { taps?: TensorInfo; scale?: number },
): TensorInfo {
  const { axes } = window;
  const dx = backend.output(window.inShape, "float32");
  const wins = taps ? `if (load_taps(dyAt) == i32(${join(axes, "size")})) ` : "";
  backend.launch({
    name,
    key: `${axes.length}/${wins}`,
    inputs: [{ name: "dy", info: dy }, ...(taps ? [{ name: "taps", info: taps }] : [])],
    outputs: [{ name: "result", info: dx }],
    count: tf.util.sizeFromShape(window.inShape),
    uniforms: [...windowUniforms(window), f32("scale", scale)],
    body: () => `let channel = index % u.channels;
  let inPosition = index / u.channels;
  ${split(axes, "in", "inPosition")}
  var sum = 0.0;
  ${overOutputs(window, `let dyAt = ${join(axes, "out")} * u.channels + channel;\n  ${wins}{ sum += f32(load_dy(dyAt)); }`)}
  store_result(index, sum * u.scale);`,
  });
  return dx;
}

type Shape2D = [number, number, number, number];
type Shape3D = [number, number, number, number, number];

function geometry(shape: number[], { filterSize, strides, pad, dimRoundingMode }: Attributes): Window {
  const info =
    shape.length === 4
      ? tf.backend_util.computePool2DInfo(shape as Shape2D, filterSize, strides, 1, pad, dimRoundingMode)
      : tf.backend_util.computePool3DInfo(shape as Shape3D, filterSize, strides, 1, pad, dimRoundingMode);
  return windowOf(info);
}

/** tfjs passes no rounding mode to gradients in two dimensions: the number of windows is that of `dy`. */
function gradientGeometry(input: TensorInfo, dy: TensorInfo, attrs: Attributes): Window {
  const window = geometry(input.shape, attrs);
  const axes = window.axes.map((axis, i) => ({ ...axis, output: dy.shape[i + 1] }));
  return { ...window, axes, outShape: dy.shape };
}

const pool =
  (name: string, reduction: Reduction): Kernel =>
  ({ inputs: { x }, attrs, backend }) => {
    const window = geometry(x.shape, attrs);
    const keeps = tapCount(window) === 1 && tf.util.arraysEqual(x.shape, window.outShape);
    return keeps ? backend.alias(x, x.shape) : reduceWindow(backend, x, { name, window, reduction });
  };

const maxGradient =
  (name: string): Kernel =>
  ({ inputs: { dy, input }, attrs, backend }) => {
    const window = gradientGeometry(input, dy, attrs);
    const taps = maximumTaps(backend, input, { name, window });
    const dx = windowGradient(backend, dy, { name, window, taps });
    backend.disposeAll(taps);
    return dx;
  };

/** tfjs divides by the size of the whole window, also where part of it is padding, which the forward pass does not count. */
const averageGradient =
  (name: string): Kernel =>
  ({ inputs: { dy, input }, attrs, backend }) => {
    const window = gradientGeometry(input, dy, attrs);
    return windowGradient(backend, dy, { name, window, scale: 1 / tapCount(window) });
  };

const withArgmax: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const window = geometry(x.shape, attrs);
  const origin = attrs.includeBatchInIndex ? "0u" : "image * u.inY * u.inX";
  const position = positionOfMaximum(`(${join(window.axes, "in")} - ${origin}) * u.channels + channel`);
  return [
    windowMaximum(backend, x, { name: "MaxPoolWithArgmax", window }),
    reduceWindow(backend, x, { name: "MaxPoolWithArgmax", window, reduction: position }),
  ];
};

/** An average over whole images is their mean, which many invocations share. */
const averagePool =
  (name: keyof typeof averages): Kernel =>
  (call) => {
    const { x } = call.inputs;
    const window = geometry(x.shape, call.attrs);
    const { axes } = window;
    const isWhole = axes.every(
      ({ input, output, size, before }) => output === 1 && size === input && before === 0,
    );
    if (!isWhole || x.dtype !== "float32") return pool(name, averages[name])(call);
    const spatial = axes.map((_, i) => i + 1);
    return reduce(call.backend, x, {
      name: "Sum",
      axes: spatial,
      keepDims: true,
      scale: 1 / tapCount(window),
    });
  };

export const poolKernels: KernelTable = {
  MaxPool: pool("MaxPool", maximum),
  MaxPool3D: pool("MaxPool3D", maximum),
  AvgPool: averagePool("AvgPool"),
  AvgPool3D: averagePool("AvgPool3D"),
  MaxPoolGrad: maxGradient("MaxPoolGrad"),
  MaxPool3DGrad: maxGradient("MaxPool3DGrad"),
  AvgPoolGrad: averageGradient("AvgPoolGrad"),
  AvgPool3DGrad: averageGradient("AvgPool3DGrad"),
  MaxPoolWithArgmax: withArgmax,
};
