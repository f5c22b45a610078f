import type { TensorInfo } from "@tensorflow/tfjs-core";
import { f32, type Uniform, u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { floatFunctions } from "./float-functions.js";
import type { Attributes, Kernel, KernelTable } from "./kernel.js";
import { type MatrixView, type StridedProduct, stridedProduct } from "./matmul.js";
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

/**
 * Bytes that all matrices `[queries, keys]` of a pass may take at a time. A larger attention is computed in parts, so that memory grows
 * with the number of tokens and not with its square.
 */
const matrixBytes = 64 * 2 ** 20;

/** A part of the matrices: some batches of all heads, some heads of a batch, or some queries of a head. */
interface Part {
  batch: number;
  batches: number;
  head: number;
  heads: number;
  query: number;
  queries: number;
}

/** The tensors that one pass over a part works on. */
interface Work {
  g: Geometry;
  part: Part;
}

/** Splits the work into the largest parts whose `count` sets of matrices fit. */
function partsOf({ batch, heads, queries, keys }: Geometry, count = 1): Part[] {
  const fits = (bytes: number, most: number) => Math.min(most, Math.floor(matrixBytes / Math.max(bytes, 1)));
  const row = 4 * keys * count;
  const batches = Math.max(1, fits(row * queries * heads, batch));
  const headsAtOnce = Math.max(1, fits(row * queries, heads));
  // Whole tiles of rows.
  const fitting = fits(row, queries);
  const queriesAtOnce = fitting === queries ? queries : Math.max(64, fitting - (fitting % 64));
  const parts: Part[] = [];
  for (let b = 0; b < batch; b += batches) {
    for (let h = 0; h < heads; h += headsAtOnce) {
      for (let q = 0; q < queries; q += queriesAtOnce) {
        parts.push({
          batch: b,
          batches: Math.min(batches, batch - b),
          head: h,
          heads: Math.min(headsAtOnce, heads - h),
          query: q,
          queries: Math.min(queriesAtOnce, queries - q),
        });
      }
    }
  }
  return parts;
}

/** The matrices `[queries, depth]` of a part's heads inside `[batch, queries, width]`. */
function queriesOf(info: TensorInfo, { g: { depth, width, queries }, part }: Work): MatrixView {
  const outer = queries * width;
  const offset = part.batch * outer + part.query * width + part.head * depth;
  return { info, outer, inner: depth, row: width, column: 1, offset };
}

/** The matrices `[keys, depth]` of a part's heads inside `[batch or 1, keys, width]`. */
function keysOf(
  info: TensorInfo,
  { g: { depth, width, keys }, part, shared }: Work & { shared: boolean },
): MatrixView {
  const outer = shared ? 0 : keys * width;
  return { info, outer, inner: depth, row: width, column: 1, offset: part.batch * outer + part.head * depth };
}

const transposed = (view: MatrixView): MatrixView => ({ ...view, row: view.column, column: view.row });

/** The matrices `[queries, keys]` of a part, which have a tensor of their own. */
function matricesOf(info: TensorInfo, { g: { keys }, part: { heads, queries } }: Work): MatrixView {
  return { info, outer: heads * queries * keys, inner: queries * keys, row: keys, column: 1 };
}

const matrices = (backend: WebGPUBackend, { keys }: Geometry, { batches, heads, queries }: Part) =>
  backend.output([batches, heads, queries, keys], "float32");

/** `rowAt` needs this to find a part's row inside `[batch, heads, queries]`, and its factor behind all shifts. */
const rowUniforms = (g: Geometry, part: Part): Uniform[] => [
  u32("firstQuery", part.query),
  u32("rowOuter", g.heads * g.queries),
  u32("rowInner", g.queries),
  u32("rowOffset", (part.batch * g.heads + part.head) * g.queries + part.query),
  u32("rowCount", g.batch * g.heads * g.queries),
  f32("scale", g.scale),
];
const rowAt = `
fn rowAt(z: u32, row: u32) -> u32 { return u.rowOffset + (z / u.inner) * u.rowOuter + (z % u.inner) * u.rowInner + row; }`;

type Product = Pick<StridedProduct, "a" | "b" | "c" | "m" | "n" | "k"> & Partial<StridedProduct>;

/** A product for each head of a part. Without an epilogue it uses the pipelines of matMul. */
function product(backend: WebGPUBackend, { batches, heads }: Part, op: Product): void {
  stridedProduct(backend, { name: "BatchMatMul", batch: [batches, heads], ...op });
}

/** `x keys^T` of a part's heads. */
function towardsMatrices(
  backend: WebGPUBackend,
  { g, part }: Work,
  { x, keys, target, ...epilogue }: Partial<StridedProduct> & Record<"x" | "keys" | "target", TensorInfo>,
): void {
  product(backend, part, {
    ...epilogue,
    a: queriesOf(x, { g, part }),
    b: transposed(keysOf(keys, { g, part, shared: g.shared })),
    c: matricesOf(target, { g, part }),
    m: part.queries,
    n: g.keys,
    k: g.depth,
  });
}

/**
 * From this size of a row's largest score on, its log-sum-exp in float32 has too few digits for probabilities that sum to 1: then the row keeps
 * its maximum and the reciprocal of its sum instead.
 */
const steepScore = "128.0";

/**
 * Writes the shift and the factor of each row of a part: a probability is `exp(score - shift) * factor`. `[2, batch, heads, queries]`, shifts
 * before factors. Scores are read four at a time where rows allow it.
 */
function fillRows(
  backend: WebGPUBackend,
  { g, part }: Work,
  { scores, rows }: { scores: TensorInfo; rows: TensorInfo },
): void {
  const width = g.keys % 4 === 0 ? 4 : 1;
  const [type, keys, combine] =
    width === 4
      ? [
          "vec4<f32>",
          "(4u * j + vec4<u32>(0u, 1u, 2u, 3u))",
          (f: string, v: string) => `${f}(${f}(${v}.x, ${v}.y), ${f}(${v}.z, ${v}.w))`,
        ]
      : ["f32", "j", (_: string, v: string) => v];
  const sees = `${keys} <= ${width === 4 ? "vec4<u32>(last)" : "last"}`;
  launchRows(backend, {
    name: "ScaledDotProductAttention: rows",
    key: `${type}${g.causal ? "/causal" : ""}`,
    inputs: [{ name: "s", info: scores, type }],
    outputs: [{ name: "rows", info: rows }],
    rows: part.batches * part.heads * part.queries,
    rowLength: g.keys,
    uniforms: [
      ...rowUniforms(g, part),
      u32("inner", part.heads),
      u32("steps", g.keys / width),
      u32("queries", part.queries),
    ],
    declarations: `${rowAt}${floatFunctions("fastExp", "logOf")}
fn add(a: f32, b: f32) -> f32 { return a + b; }
fn exps(x: ${type}) -> ${type} { return ${width === 4 ? "vec4<f32>(fastExp(x.x), fastExp(x.y), fastExp(x.z), fastExp(x.w))" : "fastExp(x)"}; }
fn scoresAt(row: u32, j: u32, last: u32) -> ${type} {
  let scores = load_s(row * u.steps + j) * u.scale;
  return ${g.causal ? `select(${type}(${lowestFloat}), scores, ${sees})` : "scores"};
}`,
    body: `let last = row % u.queries + u.firstQuery;
  let seen = ${g.causal ? `last / ${width}u + 1u` : "u.steps"};
  var largest = ${type}(${lowestFloat});
  for (var j = invocation; j < seen; j += invocations) { largest = max(largest, scoresAt(row, j, last)); }
  let top = workgroupMax(${combine("max", "largest")});
  var share = ${type}();
  for (var j = invocation; j < seen; j += invocations) { share += exps(scoresAt(row, j, last) - top); }
  let total = workgroupSum(${combine("add", "share")});
  if (invocation == 0u) {
    let at = rowAt(row / u.queries, row % u.queries);
    let isSteep = abs(top) >= ${steepScore};
    store_rows(at, select(top + logOf(total), top, isSteep));
    store_rows(at + u.rowCount, select(1.0, 1.0 / total, isSteep));
  }`,
  });
}

/**
 * Computes scores, each row's shift and factor (kept for the gradients), and the product of their softmax with the values, which
 * takes the exponentials as it reads the scores. Heads are read and written where they lie, by strides.
 */
const attention: Kernel = ({ inputs, attrs, backend }) => {
  const name = "ScaledDotProductAttention";
  const g = geometryOf(inputs, attrs);
  const rows = backend.output([2, g.batch, g.heads, g.queries], "float32");
  const output = backend.activation(inputs.query.shape);
  for (const part of partsOf(g)) {
    const scores = matrices(backend, g, part);
    towardsMatrices(backend, { g, part }, { x: inputs.query, keys: inputs.key, target: scores });
    fillRows(backend, { g, part }, { scores, rows });
    product(backend, part, {
      name: `${name}: output`,
      key: g.causal ? "causal" : "",
      uniforms: rowUniforms(g, part),
      a: matricesOf(scores, { g, part }),
      b: keysOf(inputs.value, { g, part, shared: g.shared }),
      c: queriesOf(output, { g, part }),
      m: part.queries,
      n: g.depth,
      k: g.keys,
      mapA: true,
      inputs: [{ name: "rows", info: rows }],
      value: "value * load_rows(rowAt(z, row) + u.rowCount)",
      declarations: `${rowAt}${floatFunctions("fastExp")}
fn ofRow(z: u32, row: u32) -> f32 { return load_rows(rowAt(z, row)); }
fn mapA(value: f32, shift: f32, row: u32, k: u32) -> f32 {
  ${g.causal ? "if (k > row + u.firstQuery) { return 0.0; }" : ""}
  return fastExp(value * u.scale - shift);
}`,
    });
    backend.disposeAll(scores);
  }
  return [output, rows];
};

/**
 * Probabilities again, from the scores and their rows' shifts and factors, and with `dScores` the gradient at the scores
 * before scaling, times the scale: `P * (dP - inner) * scale` with `dP = dy value^T`. Each is made where its product is written.
 */
function fillMatrices(
  backend: WebGPUBackend,
  { g, part }: Work,
  {
    inputs,
    probabilities,
    dScores,
  }: { inputs: Record<string, TensorInfo>; probabilities: TensorInfo; dScores?: TensorInfo },
): void {
  const name = "ScaledDotProductAttentionGrad";
  const uniforms = rowUniforms(g, part);
  const probability =
    "fastExp(value * u.scale - load_rows(rowAt(z, row))) * load_rows(rowAt(z, row) + u.rowCount)";
  const work = { g, part };
  towardsMatrices(backend, work, {
    x: inputs.query,
    keys: inputs.key,
    target: probabilities,
    name: `${name}: probabilities`,
    key: g.causal ? "causal" : "",
    inputs: [{ name: "rows", info: inputs.rows }],
    uniforms,
    declarations: rowAt + floatFunctions("fastExp"),
    value: g.causal ? `select(0.0, ${probability}, column <= row + u.firstQuery)` : probability,
  });
  if (!dScores) return;
  towardsMatrices(backend, work, {
    x: inputs.dy,
    keys: inputs.value,
    target: dScores,
    name: `${name}: scores`,
    inputs: [
      { name: "p", info: probabilities },
      { name: "innerProducts", info: inputs.inner },
    ],
    uniforms,
    declarations: rowAt,
    value: "load_p(offsetOf(z, row, column)) * (value - load_innerProducts(rowAt(z, row))) * u.scale",
  });
}

/** `sum_j P_ij dP_ij`, which equals `output_i . dy_i` of each head and needs no sum over keys. `[batch, heads, queries]`. */
function innerProducts(backend: WebGPUBackend, g: Geometry, { output, dy }: Record<string, TensorInfo>) {
  const result = backend.output([g.batch, g.heads, g.queries], "float32");
  const vectors = g.depth % 4 === 0;
  const type = vectors ? "vec4<f32>" : "f32";
  const steps = vectors ? g.depth / 4 : g.depth;
  backend.launch({
    name: "ScaledDotProductAttentionGrad: inner products",
    key: type,
    inputs: [
      { name: "y", info: output, type },
      { name: "dy", info: dy, type },
    ],
    outputs: [{ name: "inner", info: result }],
    count: g.batch * g.queries * g.heads,
    uniforms: [u32("steps", steps), u32("heads", g.heads), u32("queries", g.queries)],
    body: () => `let token = index / u.heads;
  var sum = ${type}();
  for (var j = index * u.steps; j < (index + 1u) * u.steps; j++) { sum += load_y(j) * load_dy(j); }
  let at = (token / u.queries * u.heads + index % u.heads) * u.queries + token % u.queries;
  store_inner(at, ${vectors ? "sum.x + sum.y + sum.z + sum.w" : "sum"});`,
  });
  return result;
}

/** The gradient of query, key or value from a part's matrices: added to what earlier queries gave. */
function fromMatrices(
  backend: WebGPUBackend,
  { g, part }: Work,
  {
    which,
    inputs,
    own,
    target,
  }: { which: Which; inputs: Record<string, TensorInfo>; own: TensorInfo; target: TensorInfo },
): void {
  if (which === "query") {
    product(backend, part, {
      a: matricesOf(own, { g, part }),
      b: keysOf(inputs.key, { g, part, shared: g.shared }),
      c: queriesOf(target, { g, part }),
      m: part.queries,
      n: g.depth,
      k: g.keys,
    });
    return;
  }
  product(backend, part, {
    a: transposed(matricesOf(own, { g, part })),
    b: queriesOf(which === "key" ? inputs.query : inputs.dy, { g, part }),
    c: keysOf(target, { g, part, shared: false }),
    m: g.keys,
    n: g.depth,
    k: part.queries,
    ...(part.query > 0 ? { key: "more", value: "before + value" } : {}),
  });
}

type Which = "query" | "key" | "value";

const whole = ({ batch, heads, queries }: Geometry): Part => ({
  batch: 0,
  batches: batch,
  head: 0,
  heads,
  query: 0,
  queries,
});

/**
 * One gradient. Given `probabilities` and `dScores` it fills them where nobody has (`attrs.filled`), so that the other
 * gradients of the same attention find them; else it goes through its own in parts.
 */
const gradient =
  (which: Which): Kernel =>
  ({ inputs, attrs, backend }) => {
    const g = geometryOf(inputs, attrs);
    const { probabilities, dScores } = inputs;
    const inner = attrs.filled || (which === "value" && !dScores) ? null : innerProducts(backend, g, inputs);
    const target = backend.output(
      which === "query" ? inputs.query.shape : [g.batch, g.keys, g.width],
      "float32",
    );
    if (dScores) {
      const part = whole(g);
      if (inner) fillMatrices(backend, { g, part }, { inputs: { ...inputs, inner }, probabilities, dScores });
      const own = which === "value" ? probabilities : dScores;
      fromMatrices(backend, { g, part }, { which, inputs, own, target });
    } else {
      for (const part of partsOf(g, inner ? 2 : 1)) {
        const p = matrices(backend, g, part);
        const d = inner ? matrices(backend, g, part) : undefined;
        const known = inner ? { ...inputs, inner } : inputs;
        fillMatrices(backend, { g, part }, { inputs: known, probabilities: p, dScores: d });
        fromMatrices(backend, { g, part }, { which, inputs, own: d ?? p, target });
        backend.disposeAll(p, ...(d ? [d] : []));
      }
    }
    if (inner) backend.disposeAll(inner);
    if (which === "query" || !g.shared) return target;
    const sum = reduce(backend, target, { name: "Sum", axes: [0], keepDims: true });
    backend.disposeAll(target);
    return sum;
  };

/** The matrices that the gradients of one attention share, or none if they are large. Memory is taken when they are filled. */
const gradientMatrices: Kernel = ({ inputs, attrs, backend }) => {
  const g = geometryOf(inputs, attrs);
  const bytes = 4 * g.batch * g.heads * g.queries * g.keys;
  return 2 * bytes > matrixBytes ? [] : [matrices(backend, g, whole(g)), matrices(backend, g, whole(g))];
};

export const attentionKernels: KernelTable = {
  ScaledDotProductAttention: attention,
  ScaledDotProductAttentionGradMatrices: gradientMatrices,
  ScaledDotProductAttentionGradQuery: gradient("query"),
  ScaledDotProductAttentionGradKey: gradient("key"),
  ScaledDotProductAttentionGradValue: gradient("value"),
};
