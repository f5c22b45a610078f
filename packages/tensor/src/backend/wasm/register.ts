import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Attrs, Call, Inputs, Kernel } from "./kernel.js";
import { normKernels } from "./norm-kernels.js";
import { address, loadSimdKernels, moved, type SimdKernels, wasmBackend } from "./simd-kernels.js";
import { splitOn } from "./split.js";
import { windowKernels } from "./window-kernels.js";

const size = tf.util.sizeFromShape;
const flag = (value: unknown) => (value ? 1 : 0);

/** Elements of a shape, in fours as vectors hold them. */
const elements = (shape: number[], work: number) => ({ size: size(shape), step: 4, work });

/** A kernel that is `f` on every element; codes as in assembly/elementwise.ts. */
const unary =
  (code: number | ((attrs: Attrs) => number)): Kernel =>
  ({ inputs, attrs, split, at, output }) => {
    const y = output(inputs.x.shape);
    const pointers = [inputs.x, y].map(at);
    const codeOf = typeof code === "number" ? code : code(attrs);
    split.run("unary", elements(y.shape, 8), (from, count) => [codeOf, count, ...moved(pointers, from)]);
    return y;
  };

const unaryGradient =
  (code: (attrs: Attrs) => number): Kernel =>
  ({ inputs, attrs, split, at, output }) => {
    const dx = output(inputs.x.shape);
    const pointers = [inputs.x, inputs.dy, dx].map(at);
    split.run("unaryGradient", elements(dx.shape, 16), (from, count) => [
      code(attrs),
      count,
      ...moved(pointers, from),
    ]);
    return dx;
  };

const geluCode = ({ variant }: Attrs) => ({ quick: 3, erf: 4, tanh: 5 })[variant as "erf"];

const batchMatMul: Kernel = ({ inputs, attrs, kernels, split, at, output }) => {
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
  const [aBatch, bBatch] = [batchA === 1 ? 0 : m * k, batchB === 1 ? 0 : n * k];
  const [aRow, aColumn] = transposeA ? [1, m] : [k, 1];
  const [bRow, bColumn] = transposeB ? [1, k] : [n, 1];
  const product = (
    batches: number,
    rows: number,
    aFrom: number,
    bFrom: number,
    cFrom: number,
    scratch: number,
  ) => [
    batches,
    aBatch,
    bBatch,
    m * n,
    rows,
    n,
    k,
    at(a) + 4 * aFrom,
    aRow,
    aColumn,
    at(b) + 4 * bFrom,
    bRow,
    bColumn,
    at(c) + 4 * cFrom,
    scratch,
  ];
  const scratch = kernels.gemmScratch(n);
  if (batch === 1) {
    split.run("batchedGemm", { size: m, step: 4, work: n * k, scratch }, (from, rows, room) =>
      product(1, rows, from * aRow, 0, from * n, room),
    );
  } else {
    split.run("batchedGemm", { size: batch, work: m * n * k, scratch }, (from, batches, room) =>
      product(batches, m, from * aBatch, from * bBatch, from * m * n, room),
    );
  }
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

const conv2dBackpropInput: Kernel = ({ inputs, attrs, split, at, output }) => {
  const { dy, filter } = inputs;
  const geometry = convGeometry(attrs.inputShape, filter.shape, attrs);
  const [height, width, cin, cout] = filter.shape;
  const depth = height * width * cout;
  const dx = output(attrs.inputShape);
  const extent = {
    size: size(attrs.inputShape) / cin,
    step: 4,
    work: depth * cin,
    scratch: 128 + 4 * depth * (up(cin, 8) + 64),
  };
  split.run("convInputGradient", extent, (from, count, scratch) => [
    ...geometry,
    ...[from, from + count, at(dy), at(filter), at(dx), scratch],
  ]);
  return dx;
};

const conv2dBackpropFilter: Kernel = ({ inputs, attrs, split, at, output }) => {
  const { x, dy } = inputs;
  const geometry = convGeometry(x.shape, attrs.filterShape, attrs);
  const dw = output(attrs.filterShape);
  const [, , cin, cout] = attrs.filterShape;
  const length = size(dw.shape);
  const extent = {
    size: size(dy.shape) / cout,
    work: length,
    scratch: 128 + 4 * 256 * (up(cout, 8) + up(cin, 4)),
  };
  split.sum("convFilterGradient", extent, length, at(dw), (from, count, scratch, to) => [
    ...geometry,
    ...[from, from + count, at(x), at(dy), to, scratch],
  ]);
  return dw;
};

function attentionGeometry({ query, key }: Inputs, { heads, scale, causal }: Attrs, kernels: SimdKernels) {
  const [batch, queries, columns] = query.shape;
  const keys = key.shape[1];
  const width = columns / heads;
  const shared = key.shape[0] === 1 && batch > 1;
  return {
    args: [batch, queries, keys, heads, width, scale, flag(causal), flag(shared)],
    extent: {
      size: batch * heads,
      // Gradients at shared keys are sums over the batch.
      step: shared ? batch : 1,
      work: 2 * queries * keys * width,
      scratch: kernels.attentionScratch(queries, keys, width),
    },
  };
}

const attention: Kernel = ({ inputs, attrs, kernels, split, at, output }) => {
  const { query, key, value } = inputs;
  const { args, extent } = attentionGeometry(inputs, attrs, kernels);
  const y = output(query.shape);
  const logSumExp = output([query.shape[0], attrs.heads, query.shape[1]]);
  const pointers = [query, key, value, y, logSumExp].map(at);
  split.run("attention", extent, (from, count, scratch) => [
    from,
    from + count,
    ...args,
    ...pointers,
    scratch,
  ]);
  return [y, logSumExp];
};

const attentionGradient =
  (which: "query" | "key" | "value"): Kernel =>
  ({ inputs, attrs, kernels, split, at, output }) => {
    const { query, key, value, output: y, logSumExp, dy } = inputs;
    const { args, extent } = attentionGeometry(inputs, attrs, kernels);
    const gradient = output(inputs[which].shape);
    const targets = (["query", "key", "value"] as const).map((name) => (name === which ? at(gradient) : 0));
    const pointers = [...[query, key, value, y, logSumExp, dy].map(at), ...targets];
    split.run("attentionGradient", extent, (from, count, scratch) => [
      ...[from, from + count],
      ...args,
      ...pointers,
      scratch,
    ]);
    return gradient;
  };

const adamWStep: Kernel = ({ inputs, attrs, split, at, output }) => {
  const { parameter, gradient, first, second } = inputs;
  const { beta1, beta2, epsilon, stepSize, correction, kept } = attrs;
  const outputs = [output(parameter.shape), output(parameter.shape), output(parameter.shape)];
  const pointers = [parameter, gradient, first, second, ...outputs].map(at);
  const scalars = [beta1, beta2, 1 - beta1, 1 - beta2, epsilon, stepSize, correction, kept];
  split.run("adamWStep", elements(parameter.shape, 8), (from, count) => [
    count,
    ...moved(pointers, from),
    ...scalars,
  ]);
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
  ...normKernels,
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
  AdamWStep: adamWStep,
};

/** The gradient of gather, which tfjs-backend-wasm lacks: rows of `x` summed by segment. */
function unsortedSegmentSum({
  inputs,
  attrs,
  backend,
}: Omit<Call, "kernels" | "split" | "at" | "output">): TensorInfo {
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

/** Registers our kernels for the backend "wasm", over tfjs's where both exist; returns how many threads run them. */
export async function registerWasmKernels(threadCount: number): Promise<number> {
  const backend = wasmBackend();
  const loaded = await loadSimdKernels(backend, threadCount);
  const { kernels, threads } = loaded;
  const split = splitOn(backend, loaded);
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
        return kernel({
          inputs,
          attrs: params.attrs as Attrs,
          backend,
          kernels,
          split,
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
  return threads?.count ?? 1;
}
