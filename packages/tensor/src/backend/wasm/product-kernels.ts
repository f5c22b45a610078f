import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Attrs, Call, Inputs, Kernel } from "./kernel.js";
import { attentionScratch, gemmScratch } from "./scratch.js";
import { conv2dGradientWithoutPadding } from "./window-kernels.js";

const size = tf.util.sizeFromShape;
const flag = (value: unknown) => (value ? 1 : 0);

/** Each operand has the whole batch or one matrix: `rewritten` has seen to it. */
const batchMatMul: Kernel = ({ inputs, attrs, split, at, output }) => {
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
  const scratch = gemmScratch(n, k);
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

const hasNonFinite = ({ kernels, at }: Call, x: TensorInfo) =>
  kernels.hasNonFinite(size(x.shape), at(x)) !== 0;

const conv2dBackpropInput: Kernel = (call) => {
  const { inputs, attrs, split, at, output } = call;
  const { dy, filter } = inputs;
  const geometry = convGeometry(attrs.inputShape, filter.shape, attrs);
  if (hasNonFinite(call, filter)) return conv2dGradientWithoutPadding(call);
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

const conv2dBackpropFilter: Kernel = (call) => {
  const { inputs, attrs, split, at, output } = call;
  const { x, dy } = inputs;
  const geometry = convGeometry(x.shape, attrs.filterShape, attrs);
  if (hasNonFinite(call, dy)) return conv2dGradientWithoutPadding(call);
  const dw = output(attrs.filterShape);
  const [, , cin, cout] = attrs.filterShape;
  const length = size(dw.shape);
  const extent = {
    size: size(dy.shape) / cout,
    work: length,
    scratch: 128 + 4 * 256 * (up(cout, 8) + up(cin, 4)) + 4 * length,
  };
  split.sum("convFilterGradient", extent, length, at(dw), (from, count, scratch, to) => [
    ...geometry,
    ...[from, from + count, at(x), at(dy), to, scratch],
  ]);
  return dw;
};

function attentionGeometry({ query, key }: Inputs, { heads, scale, causal }: Attrs) {
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
      scratch: attentionScratch(queries, keys, width),
    },
  };
}

const attention: Kernel = ({ inputs, attrs, split, at, output }) => {
  const { query, key, value } = inputs;
  const { args, extent } = attentionGeometry(inputs, attrs);
  const y = output(query.shape);
  const rows = output([2, query.shape[0], attrs.heads, query.shape[1]]);
  const pointers = [query, key, value, y, rows].map(at);
  split.run("attention", extent, (from, count, scratch) => [
    from,
    from + count,
    ...args,
    ...pointers,
    scratch,
  ]);
  return [y, rows];
};

const attentionGradient =
  (which: "query" | "key" | "value"): Kernel =>
  ({ inputs, attrs, split, at, output }) => {
    const { query, key, value, output: y, rows, dy } = inputs;
    const { args, extent } = attentionGeometry(inputs, attrs);
    const gradient = output(inputs[which].shape);
    const targets = (["query", "key", "value"] as const).map((name) => (name === which ? at(gradient) : 0));
    const pointers = [...[query, key, value, y, rows, dy].map(at), ...targets];
    split.run("attentionGradient", extent, (from, count, scratch) => [
      ...[from, from + count],
      ...args,
      ...pointers,
      scratch,
    ]);
    return gradient;
  };

export const productKernels: Record<string, Kernel> = {
  BatchMatMul: batchMatMul,
  Conv2DBackpropInput: conv2dBackpropInput,
  Conv2DBackpropFilter: conv2dBackpropFilter,
  ScaledDotProductAttention: attention,
  ScaledDotProductAttentionGradQuery: attentionGradient("query"),
  ScaledDotProductAttentionGradKey: attentionGradient("key"),
  ScaledDotProductAttentionGradValue: attentionGradient("value"),
};
