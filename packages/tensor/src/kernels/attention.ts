import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { f32, u32 } from "../backend/launch.js";
import type { WebGPUBackend } from "../backend/webgpu-backend.js";
import type { Attributes, Kernel, KernelTable } from "./kernel.js";
import { type MatrixView, stridedProduct } from "./matmul.js";
import { reduce } from "./reduce.js";
import { launchRows } from "./row-launch.js";
import { lowestFloat } from "./softmax.js";

interface Geometry {
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  /** Width of a head, and of all. */
  depth: number;
  width: number;
  scale: number;
  causal: boolean;
  /** Whether every query's batch sees the same keys. */
  shared: boolean;
}

function geometryOf(
  { query, key }: Record<string, TensorInfo>,
  { heads, scale, causal }: Attributes,
): Geometry {
  const [batch, queries, width] = query.shape;
  const [keyBatch, keys] = key.shape;
  return {
    batch,
    queries,
    keys,
    heads,
    depth: width / heads,
    width,
    scale,
    causal,
    shared: keyBatch !== batch,
  };
}

/** The matrices `[tokens, depth]` of each head inside `[batch or 1, tokens, width]`, and their transposes. */
function headsOf(info: TensorInfo, { depth, width }: Geometry, shared = false): MatrixView {
  return { info, outer: shared ? 0 : info.shape[1] * width, inner: depth, row: width, column: 1 };
}
const transposed = (view: MatrixView): MatrixView => ({ ...view, row: view.column, column: view.row });

/** The matrices `[queries, keys]` of each head. */
function scoresOf(info: TensorInfo, { heads, queries, keys }: Geometry): MatrixView {
  return { info, outer: heads * queries * keys, inner: queries * keys, row: keys, column: 1 };
}

function perHead(
  backend: WebGPUBackend,
  name: string,
  g: Geometry,
  [a, b, c]: [MatrixView, MatrixView, MatrixView],
  [m, n, k]: [number, number, number],
  scale = 1,
): void {
  stridedProduct(backend, { name, a, b, c, batch: [g.batch, g.heads], m, n, k, scale });
}

/** `query key^T * scale`, `[batch, heads, queries, keys]`; the caller disposes it. */
function scores(
  backend: WebGPUBackend,
  name: string,
  g: Geometry,
  query: TensorInfo,
  key: TensorInfo,
): TensorInfo {
  const output = backend.output([g.batch, g.heads, g.queries, g.keys], "float32");
  const views: [MatrixView, MatrixView, MatrixView] = [
    headsOf(query, g),
    transposed(headsOf(key, g, g.shared)),
    scoresOf(output, g),
  ];
  perHead(backend, name, g, views, [g.queries, g.keys, g.depth], g.scale);
  return output;
}

const rowUniforms = (g: Geometry) => [u32("keys", g.keys), u32("queries", g.queries)];

/** WGSL of how many keys a query sees. */
const visible = (g: Geometry) => `let seen = ${g.causal ? "row % u.queries + 1u" : "u.keys"};`;

/**
 * Scores, their softmax in place with each row's log-sum-exp (kept for the gradients), and the product with the values.
 * Heads are read and written where they lie, by strides.
 */
const attention: Kernel = ({ inputs, attrs, backend }) => {
  const name = "ScaledDotProductAttention";
  const g = geometryOf(inputs, attrs);
  const probabilities = scores(backend, name, g, inputs.query, inputs.key);
  const logSumExp = backend.output([g.batch, g.heads, g.queries], "float32");
  launchRows(backend, {
    name: `${name}: softmax`,
    key: g.causal ? "causal" : "",
    inputs: [],
    outputs: [
      { name: "p", info: probabilities },
      { name: "logSumExp", info: logSumExp },
    ],
    rows: g.batch * g.heads * g.queries,
    rowLength: g.keys,
    uniforms: rowUniforms(g),
    body: `let base = row * u.keys;
  ${visible(g)}
  var largest = ${lowestFloat};
  for (var j = lane; j < seen; j += lanes) { largest = max(largest, p[base + j]); }
  let top = maxLanes(largest);
  var share = 0.0;
  for (var j = lane; j < seen; j += lanes) { share += exp(p[base + j] - top); }
  let total = sumLanes(share);
  for (var j = lane; j < u.keys; j += lanes) {
    p[base + j] = select(0.0, exp(p[base + j] - top) / total, j < seen);
  }
  if (lane == 0u) { logSumExp[row] = top + log(total); }`,
  });
  const output = backend.output(inputs.query.shape, "float32");
  perHead(
    backend,
    name,
    g,
    [scoresOf(probabilities, g), headsOf(inputs.value, g, g.shared), headsOf(output, g)],
    [g.queries, g.depth, g.keys],
  );
  backend.disposeAll(probabilities);
  return [output, logSumExp];
};

/** Probabilities again, from the scores and the log-sum-exp that the forward pass kept. */
function probabilitiesAgain(
  backend: WebGPUBackend,
  name: string,
  g: Geometry,
  inputs: Record<string, TensorInfo>,
) {
  const p = scores(backend, name, g, inputs.query, inputs.key);
  backend.launch({
    name: `${name}: probabilities`,
    key: g.causal ? "causal" : "",
    inputs: [{ name: "logSumExp", info: inputs.logSumExp }],
    outputs: [{ name: "p", info: p }],
    count: tf.util.sizeFromShape(p.shape),
    uniforms: rowUniforms(g),
    body: () => `let row = index / u.keys;
  ${visible(g)}
  p[index] = select(0.0, exp(p[index] - logSumExp[row]), index % u.keys < seen);`,
  });
  return p;
}

/** The gradient at the scores before scaling, times the scale: `P * (dP - sum_j P dP) * scale` with `dP = dy value^T`. */
function scoresGradient(
  backend: WebGPUBackend,
  name: string,
  g: Geometry,
  inputs: Record<string, TensorInfo>,
) {
  const s = scores(backend, name, g, inputs.query, inputs.key);
  const d = backend.output(s.shape, "float32");
  const views: [MatrixView, MatrixView, MatrixView] = [
    headsOf(inputs.dy, g),
    transposed(headsOf(inputs.value, g, g.shared)),
    scoresOf(d, g),
  ];
  perHead(backend, name, g, views, [g.queries, g.keys, g.depth]);
  launchRows(backend, {
    name: `${name}: scores`,
    key: g.causal ? "causal" : "",
    inputs: [
      { name: "s", info: s },
      { name: "logSumExp", info: inputs.logSumExp },
    ],
    outputs: [{ name: "d", info: d }],
    rows: g.batch * g.heads * g.queries,
    rowLength: g.keys,
    uniforms: [...rowUniforms(g), f32("scale", g.scale)],
    body: `let base = row * u.keys;
  ${visible(g)}
  let level = logSumExp[row];
  var share = 0.0;
  for (var j = lane; j < seen; j += lanes) { share += exp(s[base + j] - level) * d[base + j]; }
  let inner = sumLanes(share);
  for (var j = lane; j < u.keys; j += lanes) {
    d[base + j] = select(0.0, exp(s[base + j] - level) * (d[base + j] - inner) * u.scale, j < seen);
  }`,
  });
  backend.disposeAll(s);
  return d;
}

/** `matrices^T x` of each head, shaped as the keys: summed over the batch where that shares them. */
function towardsKeys(
  backend: WebGPUBackend,
  name: string,
  g: Geometry,
  matrices: TensorInfo,
  x: TensorInfo,
): TensorInfo {
  const each = backend.output([g.batch, g.keys, g.width], "float32");
  perHead(
    backend,
    name,
    g,
    [transposed(scoresOf(matrices, g)), headsOf(x, g), headsOf(each, g)],
    [g.keys, g.depth, g.queries],
  );
  backend.disposeAll(matrices);
  if (!g.shared) return each;
  const sum = reduce(backend, "Sum", each, [0], true);
  backend.disposeAll(each);
  return sum;
}

const gradQuery: Kernel = ({ inputs, attrs, backend }) => {
  const name = "ScaledDotProductAttentionGradQuery";
  const g = geometryOf(inputs, attrs);
  const d = scoresGradient(backend, name, g, inputs);
  const output = backend.output(inputs.query.shape, "float32");
  perHead(
    backend,
    name,
    g,
    [scoresOf(d, g), headsOf(inputs.key, g, g.shared), headsOf(output, g)],
    [g.queries, g.depth, g.keys],
  );
  backend.disposeAll(d);
  return output;
};

const gradKey: Kernel = ({ inputs, attrs, backend }) => {
  const name = "ScaledDotProductAttentionGradKey";
  const g = geometryOf(inputs, attrs);
  return towardsKeys(backend, name, g, scoresGradient(backend, name, g, inputs), inputs.query);
};

const gradValue: Kernel = ({ inputs, attrs, backend }) => {
  const name = "ScaledDotProductAttentionGradValue";
  const g = geometryOf(inputs, attrs);
  return towardsKeys(backend, name, g, probabilitiesAgain(backend, name, g, inputs), inputs.dy);
};

export const attentionKernels: KernelTable = {
  ScaledDotProductAttention: attention,
  ScaledDotProductAttentionGradQuery: gradQuery,
  ScaledDotProductAttentionGradKey: gradKey,
  ScaledDotProductAttentionGradValue: gradValue,
};
