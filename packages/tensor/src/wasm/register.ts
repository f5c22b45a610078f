import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Attrs, Call, Inputs, Kernel } from "./kernel.js";
import { address, loadSimdKernels, type WasmBackend, wasmBackend, withScratch } from "./simd-kernels.js";
import { windowKernels } from "./window-kernels.js";

const size = tf.util.sizeFromShape;
const flag = (value: unknown) => (value ? 1 : 0);

/** A kernel that is `f` on every element; codes as in assembly/elementwise.ts. */
const unary =
  (code: number | ((attrs: Attrs) => number)): Kernel =>
  ({ inputs, attrs, kernels, at, output }) => {
    const y = output(inputs.x.shape);
    kernels.unary(typeof code === "number" ? code : code(attrs), size(y.shape), at(inputs.x), at(y));
    return y;
  };

const unaryGradient =
  (code: (attrs: Attrs) => number): Kernel =>
  ({ inputs, attrs, kernels, at, output }) => {
    const dx = output(inputs.x.shape);
    kernels.unaryGradient(code(attrs), size(dx.shape), at(inputs.x), at(inputs.dy), at(dx));
    return dx;
  };

const geluCode = ({ variant }: Attrs) => ({ quick: 3, erf: 4, tanh: 5 })[variant as "erf"];

const batchMatMul: Kernel = ({ inputs, attrs, backend, kernels, at, output }) => {
  const { a, b } = inputs;
  const { transposeA, transposeB } = attrs;
  const [m, k] = transposeA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
  const [n, kb] = transposeB ? [b.shape.at(-2)!, b.shape.at(-1)!] : [b.shape.at(-1)!, b.shape.at(-2)!];
  if (k !== kb) {
    throw new Error(
      `matMul: inner sizes must agree, got ${k} and ${kb} for shapes [${a.shape}] and [${b.shape}] ` +
        `with transposeA=${transposeA} and transposeB=${transposeB}`,
    );
  }
  const batchA = size(a.shape.slice(0, -2));
  const batchB = size(b.shape.slice(0, -2));
  const lead = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const batch = size(lead);
  if ((batchA !== batch && batchA !== 1) || (batchB !== batch && batchB !== 1)) {
    throw new Error(`matMul: batches [${a.shape}] and [${b.shape}] broadcast along some axes only`);
  }
  const c = output([...lead, m, n]);
  withScratch(backend, kernels.gemmScratch(n), (scratch) =>
    kernels.batchedGemm(
      batch,
      batchA === 1 ? 0 : m * k,
      batchB === 1 ? 0 : n * k,
      m * n,
      m,
      n,
      k,
      at(a),
      transposeA ? 1 : k,
      transposeA ? m : 1,
      at(b),
      transposeB ? 1 : n,
      transposeB ? k : 1,
      at(c),
      scratch,
    ),
  );
  return c;
};

/** The integers that both gradients of a convolution take. */
function convGeometry(xShape: number[], filterShape: number[], attrs: Attrs): number[] {
  const info = tf.backend_util.computeConv2DInfo(
    xShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attrs.strides,
    1,
    attrs.pad,
    attrs.dimRoundingMode,
    false,
    tf.backend_util.convertConv2DDataFormat(attrs.dataFormat),
  );
  if (attrs.dataFormat !== "NHWC") {
    throw new Error(`conv2d: gradients on WebAssembly need NHWC, got ${attrs.dataFormat}`);
  }
  return [
    info.batchSize,
    info.inHeight,
    info.inWidth,
    info.inChannels,
    info.outHeight,
    info.outWidth,
    info.outChannels,
    info.filterHeight,
    info.filterWidth,
    info.strideHeight,
    info.strideWidth,
    info.padInfo.top,
    info.padInfo.left,
  ];
}

const up = (n: number, step: number) => Math.ceil(n / step) * step;

const conv2dBackpropInput: Kernel = ({ inputs, attrs, backend, kernels, at, output }) => {
  const { dy, filter } = inputs;
  const geometry = convGeometry(attrs.inputShape, filter.shape, attrs);
  const [height, width, cin, cout] = filter.shape;
  const depth = height * width * cout;
  const dx = output(attrs.inputShape);
  withScratch(backend, 128 + 4 * depth * (up(cin, 8) + 64), (scratch) =>
    kernels.convInputGradient(...geometry, at(dy), at(filter), at(dx), scratch),
  );
  return dx;
};

const conv2dBackpropFilter: Kernel = ({ inputs, attrs, backend, kernels, at, output }) => {
  const { x, dy } = inputs;
  const geometry = convGeometry(x.shape, attrs.filterShape, attrs);
  const dw = output(attrs.filterShape);
  const [, , cin, cout] = attrs.filterShape;
  withScratch(backend, 128 + 4 * 256 * (up(cout, 8) + up(cin, 4)), (scratch) =>
    kernels.convFilterGradient(...geometry, at(x), at(dy), at(dw), scratch),
  );
  return dw;
};

function attentionGeometry({ query, key }: Inputs, { heads, scale, causal }: Attrs) {
  const [batch, queries, width] = query.shape;
  const keys = key.shape[1];
  const shared = flag(key.shape[0] === 1 && batch > 1);
  return {
    queries,
    keys,
    width: width / heads,
    args: [batch, queries, keys, heads, width / heads, scale, flag(causal), shared],
  };
}

const attention: Kernel = ({ inputs, attrs, backend, kernels, at, output }) => {
  const { query, key, value } = inputs;
  const { queries, keys, width, args } = attentionGeometry(inputs, attrs);
  const y = output(query.shape);
  const logSumExp = output([query.shape[0], attrs.heads, queries]);
  withScratch(backend, kernels.attentionScratch(queries, keys, width), (scratch) =>
    kernels.attention(...args, at(query), at(key), at(value), at(y), at(logSumExp), scratch),
  );
  return [y, logSumExp];
};

const attentionGradient =
  (which: "query" | "key" | "value"): Kernel =>
  ({ inputs, attrs, backend, kernels, at, output }) => {
    const { query, key, value, output: y, logSumExp, dy } = inputs;
    const { queries, keys, width, args } = attentionGeometry(inputs, attrs);
    const gradient = output(inputs[which].shape);
    const targets = (["query", "key", "value"] as const).map((name) => (name === which ? at(gradient) : 0));
    const sources = [query, key, value, y, logSumExp, dy].map(at);
    withScratch(backend, kernels.attentionScratch(queries, keys, width), (scratch) =>
      kernels.attentionGradient(...args, ...sources, ...targets, scratch),
    );
    return gradient;
  };

const layerNorm: Kernel = ({ inputs, attrs, kernels, at, output }) => {
  const { x, weight, bias } = inputs;
  const dim = x.shape.at(-1)!;
  const rows = size(x.shape) / dim;
  const outputs = [output(x.shape), output([rows]), output([rows])];
  kernels.layerNorm(rows, dim, attrs.epsilon, ...[x, weight, bias, ...outputs].map(at));
  return outputs;
};

const layerNormGradInput: Kernel = ({ inputs, kernels, at, output }) => {
  const { x, weight, mean, rstd, dy } = inputs;
  const dim = x.shape.at(-1)!;
  const dx = output(x.shape);
  kernels.layerNormGradInput(size(x.shape) / dim, dim, ...[x, weight, mean, rstd, dy, dx].map(at));
  return dx;
};

const layerNormGradWeight: Kernel = ({ inputs, kernels, at, output, backend }) => {
  const { x, mean, rstd, dy } = inputs;
  const dim = x.shape.at(-1)!;
  const dw = output([dim]);
  backend.typedArrayFromHeap(dw).fill(0);
  kernels.layerNormGradWeight(size(x.shape) / dim, dim, ...[x, mean, rstd, dy, dw].map(at));
  return dw;
};

const groupNorm: Kernel = ({ inputs, attrs, backend, kernels, at, output }) => {
  const { x, weight, bias } = inputs;
  const [batch, height, width, channels] = x.shape;
  const { groups, epsilon, silu } = attrs;
  const outputs = [output(x.shape), output([batch, groups]), output([batch, groups])];
  const pointers = [x, weight, bias, ...outputs].map(at);
  withScratch(backend, 8 * channels, (scratch) =>
    kernels.groupNorm(batch, height * width, channels, groups, epsilon, flag(silu), ...pointers, scratch),
  );
  return outputs;
};

const groupNormGradient =
  (which: "x" | "weight" | "bias"): Kernel =>
  ({ inputs, attrs, backend, kernels, at, output }) => {
    const { x, weight, bias, mean, rstd, dy } = inputs;
    const [batch, height, width, channels] = x.shape;
    const gradient = output(inputs[which].shape);
    if (which !== "x") backend.typedArrayFromHeap(gradient).fill(0);
    const targets = (["x", "weight", "bias"] as const).map((name) => (name === which ? at(gradient) : 0));
    const pointers = [x, weight, bias, mean, rstd, dy].map(at);
    withScratch(backend, 4 * (2 * channels + height * width * channels + 24), (scratch) =>
      kernels.groupNormGradient(
        batch,
        height * width,
        channels,
        attrs.groups,
        flag(attrs.silu),
        ...pointers,
        ...targets,
        scratch,
      ),
    );
    return gradient;
  };

const adamWStep: Kernel = ({ inputs, attrs, kernels, at, output }) => {
  const { parameter, gradient, first, second } = inputs;
  const { beta1, beta2, epsilon, stepSize, correction, kept } = attrs;
  const outputs = [output(parameter.shape), output(parameter.shape), output(parameter.shape)];
  const pointers = [parameter, gradient, first, second, ...outputs].map(at);
  const scalars = [beta1, beta2, 1 - beta1, 1 - beta2, epsilon, stepSize, correction, kept];
  kernels.adamWStep(size(parameter.shape), ...pointers, ...scalars);
  return outputs;
};

/** Sums over leading axes, where bias gradients come from; other axes are left to tfjs. */
const sumLeading: Kernel = ({ inputs, kernels, attrs, at, output }) => {
  const { x } = inputs;
  const count = tf.util.parseAxisParam(attrs.axis, x.shape).length;
  const kept = x.shape.slice(count);
  const y = output(attrs.keepDims ? [...x.shape.slice(0, count).fill(1), ...kept] : kept);
  kernels.sumRows(size(x.shape.slice(0, count)), size(kept), at(x), at(y));
  return y;
};

function sumsLeadingAxes({ x }: Inputs, { axis }: Attrs): boolean {
  const axes = tf.util.parseAxisParam(axis, x.shape).sort((a, b) => a - b);
  return axes.length > 0 && axes.length < x.shape.length && axes.every((value, i) => value === i);
}

/** Shares the data, which tfjs-backend-wasm copies. */
const identity: Kernel = ({ inputs, backend }) => {
  backend.incRef(inputs.x.dataId);
  return { dataId: inputs.x.dataId, shape: inputs.x.shape, dtype: inputs.x.dtype };
};

const simdKernels: Record<string, Kernel> = {
  ...windowKernels,
  Identity: identity,
  Sum: sumLeading,
  BatchMatMul: batchMatMul,
  Conv2DBackpropInput: conv2dBackpropInput,
  Conv2DBackpropFilter: conv2dBackpropFilter,
  Exp: unary(0),
  Erf: unary(1),
  Silu: unary(2),
  Gelu: unary(geluCode),
  SiluGrad: unaryGradient(() => 2),
  GeluGrad: unaryGradient(geluCode),
  ScaledDotProductAttention: attention,
  ScaledDotProductAttentionGradQuery: attentionGradient("query"),
  ScaledDotProductAttentionGradKey: attentionGradient("key"),
  ScaledDotProductAttentionGradValue: attentionGradient("value"),
  LayerNorm: layerNorm,
  LayerNormGradInput: layerNormGradInput,
  LayerNormGradWeight: layerNormGradWeight,
  GroupNorm: groupNorm,
  GroupNormGradInput: groupNormGradient("x"),
  GroupNormGradWeight: groupNormGradient("weight"),
  GroupNormGradBias: groupNormGradient("bias"),
  AdamWStep: adamWStep,
};

/** The gradient of gather, which tfjs-backend-wasm lacks: rows of `x` summed by segment. */
function unsortedSegmentSum({ inputs, attrs, backend }: Omit<Call, "kernels" | "at" | "output">): TensorInfo {
  const { x, segmentIds } = inputs;
  const count = attrs.numSegments as number;
  const inner = size(x.shape.slice(segmentIds.shape.length));
  const y = backend.makeOutput([count, ...x.shape.slice(segmentIds.shape.length)], "float32");
  const from = backend.typedArrayFromHeap(x);
  const ids = backend.typedArrayFromHeap(segmentIds);
  const to = backend.typedArrayFromHeap(y).fill(0);
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] < 0 || ids[i] >= count) continue;
    for (let j = 0; j < inner; j++) to[ids[i] * inner + j] += from[i * inner + j];
  }
  return y;
}

/** Whether a kernel of ours, which knows non-empty float32 tensors alone, can take this call. */
const takes = (kernelName: string, inputs: Inputs, attrs: Attrs) =>
  Object.values(inputs).every((info) => info.dtype === "float32" && size(info.shape) > 0) &&
  (kernelName !== "Sum" || sumsLeadingAxes(inputs, attrs));

/** Registers our kernels for the backend "wasm", over tfjs's where both exist. */
export async function registerWasmKernels(): Promise<void> {
  const kernels = await loadSimdKernels(wasmBackend());
  for (const [kernelName, kernel] of Object.entries(simdKernels)) {
    const theirs = tf.getKernel(kernelName, "wasm");
    if (theirs) tf.unregisterKernel(kernelName, "wasm");
    tf.registerKernel({
      kernelName,
      backendName: "wasm",
      setupFunc: theirs?.setupFunc,
      kernelFunc: (params) => {
        const inputs = params.inputs as Inputs;
        if (theirs && !takes(kernelName, inputs, params.attrs as Attrs)) return theirs.kernelFunc(params);
        const backend = params.backend as WasmBackend;
        return kernel({
          inputs,
          attrs: params.attrs as Attrs,
          backend,
          kernels,
          at: (info) => address(backend, info),
          output: (shape) => backend.makeOutput(shape, "float32"),
        });
      },
    });
  }
  if (!tf.getKernel("UnsortedSegmentSum", "wasm")) {
    tf.registerKernel({
      kernelName: "UnsortedSegmentSum",
      backendName: "wasm",
      kernelFunc: (params) => unsortedSegmentSum(params as unknown as Call),
    });
  }
}
