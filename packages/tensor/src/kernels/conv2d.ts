import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { type Uniform, u32 } from "../backend/launch.js";
import type { WebGPUBackend } from "../backend/webgpu-backend.js";
import { finish } from "./finish.js";
import { gemm, loadColumns, type RegisterLoop } from "./gemm.js";
import type { Attributes, Kernel, KernelTable } from "./kernel.js";
import { batchMatMul } from "./matmul.js";
import { slice, transpose } from "./moves.js";
import { reduce } from "./reduce.js";

type Info = ReturnType<typeof tf.backend_util.computeConv2DInfo>;

const nchwToNhwc = [0, 2, 3, 1];
const nhwcToNchw = [0, 3, 1, 2];
const isChannelsFirst = (attrs: Attributes) => attrs.dataFormat === "NCHW";

/** The kernels compute NHWC; NCHW goes there and back. */
function channelsLast(
  backend: WebGPUBackend,
  images: TensorInfo[],
  attrs: Attributes,
  compute: (...images: TensorInfo[]) => TensorInfo,
  returnsImage = true,
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

function geometry(xShape: number[], filterShape: number[], attrs: Attributes): Info {
  return tf.backend_util.computeConv2DInfo(
    xShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs.strides,
    attrs.dilations ?? 1,
    padOf(attrs),
    attrs.dimRoundingMode,
    false,
    "channelsLast",
  );
}

/** The convolution's sizes as the shaders know them. */
const sizes = (info: Info): Uniform[] => [
  u32("height", info.inHeight),
  u32("width", info.inWidth),
  u32("channels", info.inChannels),
  u32("outHeight", info.outHeight),
  u32("outWidth", info.outWidth),
  u32("outChannels", info.outChannels),
  u32("filterHeight", info.filterHeight),
  u32("filterWidth", info.filterWidth),
  u32("strideY", info.strideHeight),
  u32("strideX", info.strideWidth),
  u32("dilationY", info.dilationHeight),
  u32("dilationX", info.dilationWidth),
  u32("top", info.padInfo.top),
  u32("left", info.padInfo.left),
];

/** Whether each output pixel is a linear map of the input pixel at its place. */
const isPointwise = (info: Info) =>
  info.filterHeight === 1 &&
  info.filterWidth === 1 &&
  info.strideHeight === 1 &&
  info.strideWidth === 1 &&
  info.padInfo.top + info.padInfo.left + info.padInfo.bottom + info.padInfo.right === 0;

const asMatrix = (info: TensorInfo, columns: number): TensorInfo => ({
  ...info,
  shape: [columns === 0 ? 0 : tf.util.sizeFromShape(info.shape) / columns, columns],
});

/**
 * Forward: rows are output pixels, columns output channels, k runs over the filter's window and the input channels.
 * In registers, the window is the outer loop: a row's place in the input is found once for all channels.
 */
function conv2d(backend: WebGPUBackend, x: TensorInfo, filter: TensorInfo, info: Info): TensorInfo {
  const output = backend.output(info.outShape, "float32");
  const vectors = info.outChannels % 4 === 0;
  const registers: RegisterLoop = {
    key: vectors ? "vectors" : "elements",
    inputs: [
      { name: "x", info: x },
      { name: "filterValues", info: filter, type: vectors ? "vec4<f32>" : "f32" },
    ],
    loop: ({ rows, columns, step }) => `${rows
      .map(
        (s) => `let image${s} = row${s} / (u.outHeight * u.outWidth) * u.height * u.width;
  let y${s} = (row${s} / u.outWidth % u.outHeight) * u.strideY;
  let x${s} = (row${s} % u.outWidth) * u.strideX;`,
      )
      .join("\n  ")}
  for (var fy = 0u; fy < u.filterHeight; fy++) {
    for (var fx = 0u; fx < u.filterWidth; fx++) {
      let filterBase = (fy * u.filterWidth + fx) * u.channels * u.outChannels;
      // Coordinates above or left of the image wrap to huge ones, so one comparison bounds both sides.
      ${rows
        .map(
          (
            s,
          ) => `let inY${s} = y${s} + fy * u.dilationY - u.top; let inX${s} = x${s} + fx * u.dilationX - u.left;
      let inside${s} = inY${s} < u.height && inX${s} < u.width;
      let at${s} = select(0u, (image${s} + inY${s} * u.width + inX${s}) * u.channels, inside${s});`,
        )
        .join("\n      ")}
      for (var channel = 0u; channel < u.channels; channel++) {
        ${rows.map((s) => `let a${s} = select(0.0, x[at${s} + channel], inside${s});`).join("\n        ")}
        let filterAt = filterBase + channel * u.outChannels;
        ${columns.map((s) => `let b${s} = ${loadColumns("filterValues", "filterAt", `column${s}`, vectors)};`).join(" ")}
        ${step}
      }
    }
  }`,
  };
  gemm(backend, {
    name: "Conv2D",
    key: "",
    m: info.batchSize * info.outHeight * info.outWidth,
    n: info.outChannels,
    k: info.filterHeight * info.filterWidth * info.inChannels,
    batch: 1,
    inputs: [
      { name: "x", info: x },
      { name: "filterValues", info: filter },
    ],
    output: { name: "result", info: output },
    outputVectors: vectors,
    uniforms: sizes(info),
    read: `
fn readA(z: u32, row: u32, k: u32) -> f32 {
  let place = k / u.channels;
  let y = (row / u.outWidth % u.outHeight) * u.strideY + (place / u.filterWidth) * u.dilationY - u.top;
  let xx = (row % u.outWidth) * u.strideX + (place % u.filterWidth) * u.dilationX - u.left;
  if (y >= u.height || xx >= u.width) { return 0.0; }
  let image = row / (u.outHeight * u.outWidth);
  return x[((image * u.height + y) * u.width + xx) * u.channels + k % u.channels];
}
fn readB(z: u32, k: u32, column: u32) -> f32 { return filterValues[k * u.outChannels + column]; }`,
    place: "row * u.outChannels + column",
    aRunsAlongK: true,
    bRunsAlongK: false,
    registers,
  });
  return output;
}

/**
 * Gradient of the input: rows are input pixels, columns input channels, k runs over the window and the output channels.
 * A pixel gets from an output pixel wherever the window's step divides by the stride.
 */
function conv2dInputGradient(
  backend: WebGPUBackend,
  dy: TensorInfo,
  filter: TensorInfo,
  info: Info,
): TensorInfo {
  const dx = backend.output(info.inShape, "float32");
  const source = (row: string, s: string) => `
      let downY${s} = (${row} / u.width % u.height) + u.top - fy * u.dilationY;
      let downX${s} = (${row} % u.width) + u.left - fx * u.dilationX;
      let fromY${s} = downY${s} / u.strideY; let fromX${s} = downX${s} / u.strideX;
      let inside${s} = fromY${s} < u.outHeight && fromX${s} < u.outWidth
        && fromY${s} * u.strideY == downY${s} && fromX${s} * u.strideX == downX${s};
      let image${s} = ${row} / (u.height * u.width);
      let at${s} = select(0u, ((image${s} * u.outHeight + fromY${s}) * u.outWidth + fromX${s}) * u.outChannels, inside${s});`;
  const registers: RegisterLoop = {
    key: "",
    inputs: [
      { name: "dy", info: dy },
      { name: "filterValues", info: filter },
    ],
    loop: ({ rows, columns, step }) => `for (var fy = 0u; fy < u.filterHeight; fy++) {
    for (var fx = 0u; fx < u.filterWidth; fx++) {
      ${rows.map((s) => source(`row${s}`, s)).join("")}
      let filterBase = (fy * u.filterWidth + fx) * u.channels * u.outChannels;
      ${columns
        .map((s) =>
          [0, 1, 2, 3]
            .map((j) => `let bAt${s}_${j} = filterBase + min(column${s} + ${j}u, u.n - 1u) * u.outChannels;`)
            .join(" "),
        )
        .join("\n      ")}
      for (var channel = 0u; channel < u.outChannels; channel++) {
        ${rows.map((s) => `let a${s} = select(0.0, dy[at${s} + channel], inside${s});`).join("\n        ")}
        ${columns
          .map(
            (s) =>
              `let b${s} = vec4<f32>(${[0, 1, 2, 3].map((j) => `filterValues[bAt${s}_${j} + channel]`).join(", ")});`,
          )
          .join(" ")}
        ${step}
      }
    }
  }`,
  };
  gemm(backend, {
    name: "Conv2DBackpropInput",
    key: "",
    m: info.batchSize * info.inHeight * info.inWidth,
    n: info.inChannels,
    k: info.filterHeight * info.filterWidth * info.outChannels,
    batch: 1,
    inputs: [
      { name: "dy", info: dy },
      { name: "filterValues", info: filter },
    ],
    output: { name: "result", info: dx },
    outputVectors: info.inChannels % 4 === 0,
    uniforms: sizes(info),
    read: `
fn readA(z: u32, row: u32, k: u32) -> f32 {
  let place = k / u.outChannels;
  let fy = place / u.filterWidth;
  let fx = place % u.filterWidth;
  ${source("row", "")}
  if (!inside) { return 0.0; }
  return dy[at + k % u.outChannels];
}
fn readB(z: u32, k: u32, column: u32) -> f32 {
  return filterValues[(k / u.outChannels * u.channels + column) * u.outChannels + k % u.outChannels];
}`,
    place: "row * u.channels + column",
    aRunsAlongK: true,
    bRunsAlongK: true,
    registers,
  });
  return dx;
}

/**
 * Gradient of the filter: rows are the filter's places and input channels, columns output channels, k runs over output
 * pixels. That sum is long and the result small, so shares of the images' rows go to separate products, summed after.
 */
function conv2dFilterGradient(backend: WebGPUBackend, x: TensorInfo, dy: TensorInfo, info: Info): TensorInfo {
  const m = info.filterHeight * info.filterWidth * info.inChannels;
  const n = info.outChannels;
  const imageRows = info.batchSize * info.outHeight;
  // Workgroups that keep a device busy, and how many one share gives.
  const wanted = backend.isSoftware ? 32 : 1024;
  const workgroups = backend.isSoftware
    ? Math.ceil(m / 16) * Math.ceil(n / 64)
    : Math.ceil(m / 64) * Math.ceil(n / 64);
  const shares = Math.max(1, Math.min(imageRows, Math.ceil(wanted / Math.max(1, workgroups))));
  const share = Math.ceil(imageRows / shares);
  const batch = Math.ceil(imageRows / share);
  const partial = backend.output([batch, m, n], "float32");
  const vectors = n % 4 === 0;
  const registers: RegisterLoop = {
    key: vectors ? "vectors" : "elements",
    inputs: [
      { name: "x", info: x },
      { name: "dy", info: dy, type: vectors ? "vec4<f32>" : "f32" },
    ],
    loop: ({ rows, columns, step }) => `${rows
      .map(
        (s) => `let place${s} = row${s} / u.channels;
  let channel${s} = row${s} % u.channels;
  let downY${s} = (place${s} / u.filterWidth) * u.dilationY;
  let downX${s} = (place${s} % u.filterWidth) * u.dilationX;`,
      )
      .join("\n  ")}
  for (var imageRow = z * u.share; imageRow < min((z + 1u) * u.share, u.imageRows); imageRow++) {
    let y = (imageRow % u.outHeight) * u.strideY;
    ${rows
      .map(
        (s) => `let inY${s} = y + downY${s} - u.top;
    let line${s} = (imageRow / u.outHeight * u.height + inY${s}) * u.width;`,
      )
      .join("\n    ")}
    for (var outX = 0u; outX < u.outWidth; outX++) {
      ${rows
        .map(
          (s) => `let inX${s} = outX * u.strideX + downX${s} - u.left;
      let inside${s} = inY${s} < u.height && inX${s} < u.width;
      let at${s} = select(0u, (line${s} + inX${s}) * u.channels + channel${s}, inside${s});
      let a${s} = select(0.0, x[at${s}], inside${s});`,
        )
        .join("\n      ")}
      let dyAt = (imageRow * u.outWidth + outX) * u.outChannels;
      ${columns.map((s) => `let b${s} = ${loadColumns("dy", "dyAt", `column${s}`, vectors)};`).join(" ")}
      ${step}
    }
  }`,
  };
  gemm(backend, {
    name: "Conv2DBackpropFilter",
    key: "",
    m,
    n,
    k: share * info.outWidth,
    batch,
    inputs: [
      { name: "x", info: x },
      { name: "dy", info: dy },
    ],
    output: { name: "result", info: partial },
    outputVectors: vectors,
    uniforms: [...sizes(info), u32("share", share), u32("imageRows", imageRows)],
    read: `
fn readA(z: u32, row: u32, k: u32) -> f32 {
  let imageRow = z * u.share + k / u.outWidth;
  if (imageRow >= u.imageRows) { return 0.0; }
  let place = row / u.channels;
  let inY = (imageRow % u.outHeight) * u.strideY + (place / u.filterWidth) * u.dilationY - u.top;
  let inX = (k % u.outWidth) * u.strideX + (place % u.filterWidth) * u.dilationX - u.left;
  if (inY >= u.height || inX >= u.width) { return 0.0; }
  return x[((imageRow / u.outHeight * u.height + inY) * u.width + inX) * u.channels + row % u.channels];
}
fn readB(z: u32, k: u32, column: u32) -> f32 {
  let imageRow = z * u.share + k / u.outWidth;
  if (imageRow >= u.imageRows) { return 0.0; }
  return dy[(imageRow * u.outWidth + k % u.outWidth) * u.outChannels + column];
}`,
    place: "(z * u.m + row) * u.n + column",
    aRunsAlongK: false,
    bRunsAlongK: false,
    registers,
  });
  if (batch === 1) return { ...partial, shape: info.filterShape };
  const whole = reduce(backend, "Sum", partial, [0]);
  backend.disposeAll(partial);
  return { ...whole, shape: info.filterShape };
}

function forward(backend: WebGPUBackend, x: TensorInfo, filter: TensorInfo, attrs: Attributes): TensorInfo {
  const info = geometry(x.shape, filter.shape, attrs);
  if (!isPointwise(info)) return conv2d(backend, x, filter, info);
  const product = batchMatMul(
    backend,
    asMatrix(x, info.inChannels),
    asMatrix(filter, info.outChannels),
    false,
    false,
  );
  return { ...product, shape: info.outShape };
}

const conv2dKernel: Kernel = ({ inputs: { x, filter }, attrs, backend }) =>
  channelsLast(backend, [x], attrs, (image) => forward(backend, image, filter, attrs));

const fusedConv2d: Kernel = ({ inputs, attrs, backend }) => {
  const { x, filter, bias, preluActivationWeights } = inputs;
  const product = channelsLast(backend, [x], attrs, (image) => forward(backend, image, filter, attrs));
  // A vector belongs to the channels, wherever their axis is.
  const along = (info: TensorInfo | undefined) =>
    info && isChannelsFirst(attrs) && info.shape.length === 1
      ? { ...info, shape: [info.shape[0], 1, 1] }
      : info;
  return finish(
    backend,
    product,
    along(bias),
    attrs.activation,
    along(preluActivationWeights),
    attrs.leakyreluAlpha,
  );
};

const backpropInput: Kernel = ({ inputs: { dy, filter }, attrs, backend }) =>
  channelsLast(backend, [dy], attrs, (gradient) => {
    const inputShape = isChannelsFirst(attrs)
      ? nchwToNhwc.map((axis) => attrs.inputShape[axis])
      : attrs.inputShape;
    const info = geometry(inputShape, filter.shape, attrs);
    if (info.outShape.some((n, axis) => gradient.shape[axis] < n)) {
      throw new Error(`Conv2DBackpropInput: dy [${gradient.shape}] must be [${info.outShape}]`);
    }
    // conv2dTranspose may give more than its output's shape has a use for.
    const dy = slice(backend, gradient, [0, 0, 0, 0], info.outShape);
    let dx: TensorInfo;
    if (isPointwise(info)) {
      const matrices = [asMatrix(dy, info.outChannels), asMatrix(filter, info.outChannels)];
      dx = { ...batchMatMul(backend, matrices[0], matrices[1], false, true), shape: info.inShape };
    } else {
      dx = conv2dInputGradient(backend, dy, filter, info);
    }
    backend.disposeAll(dy);
    return dx;
  });

const backpropFilter: Kernel = ({ inputs: { x, dy }, attrs, backend }) =>
  channelsLast(
    backend,
    [x, dy],
    attrs,
    (image, gradient) =>
      conv2dFilterGradient(backend, image, gradient, geometry(image.shape, attrs.filterShape, attrs)),
    false,
  );

export const conv2dKernels: KernelTable = {
  Conv2D: conv2dKernel,
  FusedConv2D: fusedConv2d,
  Conv2DBackpropInput: backpropInput,
  Conv2DBackpropFilter: backpropFilter,
};
