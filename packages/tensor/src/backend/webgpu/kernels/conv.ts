import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import type { Epilogue } from "./epilogue.js";
import { gemm } from "./gemm.js";
import { batchMatMul } from "./matmul.js";
import type { ProductLoop } from "./product-loop.js";
import { reduce } from "./reduce.js";
import {
  join,
  overInputs,
  overOutputs,
  overTaps,
  positionCount,
  split,
  tapCount,
  type Window,
  windowUniforms,
} from "./window.js";

// Convolutions of images and volumes as matrix products, with no patches stored (implicit GEMM). In WGSL, `axes` unrolls to
// two or three lines.

const asMatrix = (info: TensorInfo, columns: number): TensorInfo => ({
  ...info,
  shape: [columns === 0 ? 0 : tf.util.sizeFromShape(info.shape) / columns, columns],
});

interface Conv {
  name: string;
  window: Window;
}

/** Whether each output position is a linear map of the input at its position. */
const isPointwise = ({ axes, inShape, outShape }: Window): boolean =>
  axes.every(
    ({ size, stride, before }, i) =>
      size === 1 && stride === 1 && before === 0 && inShape[i + 1] === outShape[i + 1],
  );

/** WGSL of whether `atA` and the place that lies `span` after it are both inside the input. */
const isWithin = (a: string, span: string) => `at${a} < u.in${a} && at${a} + ${span} < u.in${a}`;

/**
 * Forward: rows are output positions, columns output channels, k runs over the window and the input channels.
 * In registers, the window is the outer loop: a row's position in the input is found once for all channels.
 */
export function conv(
  backend: WebGPUBackend,
  {
    name,
    x,
    filter,
    window,
    epilogue = {},
  }: Conv & { x: TensorInfo; filter: TensorInfo; epilogue?: Epilogue },
): TensorInfo {
  const { axes, channels, outChannels } = window;
  if (isPointwise(window)) {
    const matrices = [asMatrix(x, channels), asMatrix(filter, outChannels)];
    const product = batchMatMul(backend, { a: matrices[0], b: matrices[1], epilogue });
    return { ...product, shape: window.outShape };
  }
  const output = backend.activation(window.outShape);
  const vectors = outChannels % 4 === 0;
  const inputs = [
    { name: "x", info: x },
    { name: "filterValues", info: filter },
  ];
  const inside = (s: string) => axes.map(({ name: a }) => `at${a}${s} < u.in${a}`).join(" && ");
  const registers: ProductLoop = {
    key: "",
    inputs: epilogue.inputs,
    a: {
      binding: inputs[0],
      sideBySide: channels % 2 === 0 ? "steps" : null,
      at: (id, k) => `xAt${id} + ${k}`,
      map: (element, id) => `select(0.0, ${element}, inside${id})`,
    },
    b: {
      binding: inputs[1],
      sideBySide: vectors ? "neighbours" : null,
      at: (id, k) => `filterBase + ${k} * u.outChannels + column${id}`,
    },
    end: "u.channels",
    isEven: channels % 2 === 0,
    around: ({ rows }, loop) => `${rows
      .map(
        (id) =>
          `${split(axes, "out", `row${id}`, id)} ${axes.map(({ name: a }) => `let from${a}${id} = to${a}${id} * u.stride${a} - u.before${a};`).join(" ")}`,
      )
      .join("\n  ")}
  ${overTaps(
    axes,
    `let filterBase = ${join(axes, "size")} * u.channels * u.outChannels;
      ${rows
        .map(
          (
            id,
          ) => `${axes.map(({ name: a }) => `let at${a}${id} = from${a}${id} + tap${a} * u.dilation${a};`).join(" ")}
      let inside${id} = ${inside(id)};
      let xAt${id} = select(0u, ${join(axes, "in", id)} * u.channels, inside${id});`,
        )
        .join("\n      ")}
      ${loop}`,
  )}`,
  };
  gemm(backend, {
    name,
    key: `${axes.length}${epilogue.key ?? ""}`,
    m: positionCount(window),
    n: outChannels,
    k: tapCount(window) * channels,
    batch: 1,
    inputs: [...inputs, ...(epilogue.inputs ?? [])],
    output: { name: "result", info: output },
    outputVectors: vectors,
    uniforms: [...windowUniforms(window), ...(epilogue.uniforms ?? [])],
    declarations: epilogue.declarations,
    value: epilogue.value,
    read: `
fn readA(z: u32, row: u32, k: u32) -> f32 {
  let tap = k / u.channels;
  ${split(axes, "size", "tap")}
  ${split(axes, "out", "row")}
  ${axes.map(({ name: a }) => `let at${a} = to${a} * u.stride${a} + tap${a} * u.dilation${a} - u.before${a};`).join("\n  ")}
  if (!(${inside("")})) { return 0.0; }
  return load_x(${join(axes, "in")} * u.channels + k % u.channels);
}
fn readB(z: u32, k: u32, column: u32) -> f32 { return load_filterValues(k * u.outChannels + column); }`,
    padding: {
      touches: `${split(axes, "out", "row")}
  ${axes.map(({ name: a }) => `let at${a} = to${a} * u.stride${a} - u.before${a};`).join(" ")}
  return !(${axes.map(({ name: a }) => isWithin(a, `(u.size${a} - 1u) * u.dilation${a}`)).join(" && ")});`,
      sum: (xAt, filterAt) => `${split(axes, "out", "row")}
  var sum = 0.0;
  ${overInputs(
    window,
    `let first = ${join(axes, "in")} * u.channels;
  let firstWeight = ${join(axes, "size")} * u.channels * u.outChannels + column;
  for (var k = 0u; k < u.channels; k++) { sum = fma(${xAt("first + k")}, ${filterAt("firstWeight + k * u.outChannels")}, sum); }`,
  )}
  return sum;`,
    },
    offset: "row * u.outChannels + column",
    aRunsAlongK: true,
    bRunsAlongK: false,
    registers,
  });
  return output;
}

/**
 * Gradient of the input: rows are input positions, columns input channels, k runs over the window and the output channels.
 * An input position gets from an output position wherever the window's step divides by the stride.
 */
export function convInputGradient(
  backend: WebGPUBackend,
  { name, dy, filter, window }: Conv & { dy: TensorInfo; filter: TensorInfo },
): TensorInfo {
  const { axes, channels, outChannels } = window;
  if (isPointwise(window)) {
    const [a, b] = [asMatrix(dy, outChannels), asMatrix(filter, outChannels)];
    const product = batchMatMul(backend, { a, b, transposeB: true });
    return { ...product, shape: window.inShape };
  }
  const dx = backend.output(window.inShape, "float32");
  const inputs = [
    { name: "dy", info: dy },
    { name: "filterValues", info: filter },
  ];
  const source = (s: string) => `
      ${axes.map(({ name: a }) => `let down${a}${s} = at${a}${s} + u.before${a} - tap${a} * u.dilation${a}; let to${a}${s} = down${a}${s} / u.stride${a};`).join("\n      ")}
      let inside${s} = ${axes.map(({ name: a }) => `to${a}${s} < u.out${a} && to${a}${s} * u.stride${a} == down${a}${s}`).join(" && ")};
      let dyAt${s} = select(0u, ${join(axes, "out", s)} * u.outChannels, inside${s});`;
  const sideBySide = outChannels % 2 === 0 ? "steps" : null;
  const registers: ProductLoop = {
    key: "",
    a: {
      binding: inputs[0],
      sideBySide,
      at: (id, k) => `dyAt${id} + ${k}`,
      map: (element, id) => `select(0.0, ${element}, inside${id})`,
    },
    b: { binding: inputs[1], sideBySide, at: (id, k) => `filterAt${id} + ${k}` },
    end: "u.outChannels",
    isEven: outChannels % 2 === 0,
    around: ({ rows, columns }, loop) => `${rows.map((id) => split(axes, "in", `row${id}`, id)).join("\n  ")}
  ${overTaps(
    axes,
    `${rows.map(source).join("")}
      let filterBase = ${join(axes, "size")} * u.channels * u.outChannels;
      ${columns.map((id) => `let filterAt${id} = filterBase + column${id} * u.outChannels;`).join(" ")}
      ${loop}`,
  )}`,
  };
  gemm(backend, {
    name,
    key: `${axes.length}`,
    m: axes.reduce((product, { input }) => product * input, window.batch),
    n: channels,
    k: tapCount(window) * outChannels,
    batch: 1,
    inputs,
    output: { name: "result", info: dx },
    outputVectors: channels % 4 === 0,
    uniforms: windowUniforms(window),
    read: `
fn readA(z: u32, row: u32, k: u32) -> f32 {
  let tap = k / u.outChannels;
  ${split(axes, "size", "tap")}
  ${split(axes, "in", "row")}
  ${source("")}
  if (!inside) { return 0.0; }
  return load_dy(${join(axes, "out")} * u.outChannels + k % u.outChannels);
}
fn readB(z: u32, k: u32, column: u32) -> f32 {
  return load_filterValues((k / u.outChannels * u.channels + column) * u.outChannels + k % u.outChannels);
}`,
    padding: {
      // A stride leaves taps out too, so that nearly every position has some.
      touches: "return true;",
      sum: (dyAt, filterAt) => `${split(axes, "in", "row")}
  var sum = 0.0;
  ${overOutputs(
    window,
    `let first = ${join(axes, "out")} * u.outChannels;
  let firstWeight = (${join(axes, "size")} * u.channels + column) * u.outChannels;
  for (var k = 0u; k < u.outChannels; k++) { sum = fma(${dyAt("first + k")}, ${filterAt("firstWeight + k")}, sum); }`,
  )}
  return sum;`,
    },
    offset: "row * u.channels + column",
    aRunsAlongK: true,
    bRunsAlongK: true,
    registers,
  });
  return dx;
}

/** Output positions that one share of the filter's gradient should sum over, and the bytes that the results of all shares may take for that. */
const longestShare = 1024;
const shareBytes = 64 * 2 ** 20;

/**
 * Gradient of the filter: rows are the window's taps and input channels, columns output channels, k runs over output positions.
 * That sum is long and the result small, so shares of the images' lines go to separate products, summed after.
 */
export function convFilterGradient(
  backend: WebGPUBackend,
  { name, x, dy, window }: Conv & { x: TensorInfo; dy: TensorInfo },
): TensorInfo {
  const { axes } = window;
  const outer = axes.slice(0, -1);
  const m = tapCount(window) * window.channels;
  const n = window.outChannels;
  const width = axes.at(-1)!.output;
  const lines = width === 0 ? 0 : positionCount(window) / width;
  // Workgroups that keep a device busy, and how many one share gives.
  const wanted = backend.isSoftware ? 32 : 1024;
  const workgroups = backend.isSoftware
    ? Math.ceil(m / 32) * Math.ceil(n / 64)
    : Math.ceil(m / 64) * Math.ceil(n / 64);
  // A share sums about a thousand terms at most, unless the results of so many shares take too much memory.
  const bound = Math.max(1, Math.floor(shareBytes / Math.max(1, 4 * m * n)));
  const accurate = Math.min(Math.ceil((lines * width) / longestShare), bound);
  const shares = Math.max(
    1,
    Math.min(lines, Math.max(accurate, Math.ceil(wanted / Math.max(1, workgroups)))),
  );
  const share = Math.max(1, Math.ceil(lines / shares));
  const batch = Math.max(1, Math.ceil(lines / share));
  const partial = backend.output([batch, m, n], "float32");
  const vectors = n % 4 === 0;
  const inputs = [
    { name: "x", info: x },
    { name: "dy", info: dy },
  ];
  const outerInside = (s: string) => outer.map(({ name: a }) => `at${a}${s} < u.in${a}`).join(" && ");
  const atX = (id: string, k: string) => `(${k} * u.strideX + downX${id})`;
  const insideX = (id: string, k: string) => `insideLine${id} && ${atX(id, k)} < u.inX`;
  const registers: ProductLoop = {
    key: "",
    a: {
      binding: inputs[0],
      // Neighbours are then channels of one tap.
      sideBySide: window.channels % 4 === 0 ? "neighbours" : null,
      at: (id, k) => `select(0u, (line${id} + ${atX(id, k)}) * u.channels + channel${id}, ${insideX(id, k)})`,
      map: (element, id, k) => `select(0.0, ${element}, ${insideX(id, k)})`,
    },
    b: {
      binding: inputs[1],
      sideBySide: vectors ? "neighbours" : null,
      at: (id, k) => `dyLine + ${k} * u.outChannels + column${id}`,
    },
    end: "u.outX",
    isEven: width % 2 === 0,
    around: ({ rows }, loop) => `${rows
      .map(
        (id) => `let position${id} = row${id} / u.channels; let channel${id} = row${id} % u.channels;
  ${split(axes, "size", `position${id}`, id)}
  ${axes.map(({ name: a }) => `let down${a}${id} = tap${a}${id} * u.dilation${a} - u.before${a};`).join(" ")}`,
      )
      .join("\n  ")}
  for (var line = z * u.share; line < min((z + 1u) * u.share, u.lines); line++) {
    let dyLine = line * u.outX * u.outChannels;
    ${split(outer, "out", "line")}
    ${rows
      .map(
        (
          id,
        ) => `${outer.map(({ name: a }) => `let at${a}${id} = to${a} * u.stride${a} + down${a}${id};`).join(" ")}
    let insideLine${id} = ${outerInside(id)};
    let image${id} = image; let line${id} = ${join(outer, "in", id)} * u.inX;`,
      )
      .join("\n    ")}
    ${loop}
  }`,
  };
  gemm(backend, {
    name,
    key: `${axes.length}`,
    m,
    n,
    k: share * width,
    batch,
    inputs,
    output: { name: "result", info: partial },
    outputVectors: vectors,
    uniforms: [...windowUniforms(window), u32("share", share), u32("lines", lines)],
    read: `
fn readA(z: u32, row: u32, k: u32) -> f32 {
  let line = z * u.share + k / u.outX;
  if (line >= u.lines) { return 0.0; }
  let toX = k % u.outX;
  ${split(outer, "out", "line")}
  let position = row / u.channels;
  ${split(axes, "size", "position")}
  ${axes.map(({ name: a }) => `let at${a} = to${a} * u.stride${a} + tap${a} * u.dilation${a} - u.before${a};`).join("\n  ")}
  if (${axes.map(({ name: a }) => `at${a} >= u.in${a}`).join(" || ")}) { return 0.0; }
  return load_x(${join(axes, "in")} * u.channels + row % u.channels);
}
fn readB(z: u32, k: u32, column: u32) -> f32 {
  let line = z * u.share + k / u.outX;
  if (line >= u.lines) { return 0.0; }
  return load_dy((line * u.outX + k % u.outX) * u.outChannels + column);
}`,
    padding: {
      touches: `let position = row / u.channels;
  ${split(axes, "size", "position")}
  ${axes.map(({ name: a }) => `let at${a} = tap${a} * u.dilation${a} - u.before${a};`).join(" ")}
  return !(${axes.map(({ name: a }) => isWithin(a, `(u.out${a} - 1u) * u.stride${a}`)).join(" && ")});`,
      sum: (xAt, dyAt) => `let position = row / u.channels;
  ${split(axes, "size", "position")}
  ${axes.map(({ name: a }) => `let down${a} = tap${a} * u.dilation${a} - u.before${a};`).join(" ")}
  var sum = 0.0;
  for (var line = z * u.share; line < min((z + 1u) * u.share, u.lines); line++) {
    ${split(outer, "out", "line")}
    ${outer.map(({ name: a }) => `let at${a} = to${a} * u.stride${a} + down${a};`).join(" ")}
    if (!(${outerInside("")})) { continue; }
    for (var toX = 0u; toX < u.outX; toX++) {
      let atX = toX * u.strideX + downX;
      if (atX >= u.inX) { continue; }
      sum = fma(${xAt(`${join(axes, "in")} * u.channels + row % u.channels`)}, ${dyAt("(line * u.outX + toX) * u.outChannels + column")}, sum);
    }
  }
  return sum;`,
    },
    offset: "(z * u.m + row) * u.n + column",
    aRunsAlongK: false,
    bRunsAlongK: false,
    registers,
  });
  if (batch === 1) return { ...partial, shape: window.filterShape };
  const whole = reduce(backend, partial, { name: "Sum", axes: [0] });
  backend.disposeAll(partial);
  return { ...whole, shape: window.filterShape };
}
