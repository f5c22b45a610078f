import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { f32, i32, partAlignment, u32, u32List } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { compensated, compensationUniforms, sumWhere } from "./compensated-sum.js";
import { fill } from "./fill.js";
import { floatFunctions } from "./float-functions.js";
import { elementType, type Kernel, type KernelTable } from "./kernel.js";
import { stridesOf } from "./moves.js";
import { cast } from "./shape.js";

const size = (shape: readonly number[]) => tf.util.sizeFromShape(shape as number[]);

/** The elements of a tensor, in parts that a kernel reaches. */
function partsOf(backend: WebGPUBackend, x: TensorInfo): { first: number; count: number }[] {
  const elements = size(x.shape);
  const reach = backend.maxBindingBytes / backend.elementBytes(x.dataId);
  if (elements <= reach) return [{ first: 0, count: elements }];
  const step = Math.floor(reach / partAlignment) * partAlignment;
  return Array.from({ length: Math.ceil(elements / step) }, (_, i) => ({
    first: i * step,
    count: Math.min(step, elements - i * step),
  }));
}

/**
 * Slices of `x` along an axis by index. An index out of range throws where the indices still lie on the host; on the device
 * it gives zeros, since a shader cannot throw. A table that is larger than a binding is gone through in parts.
 */
const gatherV2: Kernel = ({ inputs: { x, indices }, attrs, backend }) => {
  const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape);
  const info = tf.backend_util.segment_util.collectGatherOpShapeInfo(
    x as tf.Tensor,
    indices as tf.Tensor,
    axis,
    attrs.batchDims ?? 0,
  );
  for (const index of (backend.hostValues(indices.dataId) as Int32Array | null) ?? []) {
    if (index < 0 || index >= info.dimSize) {
      throw new Error(
        `GatherV2: the index value ${index} is not in [0, ${info.dimSize - 1}], for x [${x.shape}] along axis ${axis}`,
      );
    }
  }
  const output = backend.outputLike([x], info.outputShape);
  const picks = size(indices.shape) / info.batchSize;
  const whole = cast(backend, indices, "int32");
  for (const part of partsOf(backend, x)) {
    backend.launch({
      name: "GatherV2",
      key: "",
      inputs: [
        { name: "x", info: x, type: "u32", part: part.count < size(x.shape) ? part : undefined },
        { name: "indices", info: whole },
      ],
      outputs: [{ name: "result", info: output, type: "u32" }],
      count: size(output.shape),
      uniforms: [
        u32("slice", info.sliceSize),
        u32("outer", info.outerSize),
        u32("axisSize", info.dimSize),
        u32("picks", picks),
        u32("first", part.first),
        u32("end", part.first + part.count),
      ],
      body: () => `let within = index % u.slice;
  let pick = (index / u.slice) % u.picks;
  let lead = index / u.slice / u.picks;
  let at = load_indices((lead / u.outer) * u.picks + pick);
  let source = (lead * u.axisSize + u32(at)) * u.slice + within;
  let exists = at >= 0 && u32(at) < u.axisSize;
  if (exists && source >= u.first && source < u.end) { store_result(index, load_x(source - u.first)); }
  else if (!exists && u.first == 0u) { store_result(index, 0u); }`,
    });
  }
  backend.disposeAll(whole);
  return output;
};

const gatherNd: Kernel = ({ inputs: { params, indices }, backend }) => {
  const [shape, count, sliceSize, strides] = tf.backend_util.prepareAndValidate(
    params as tf.Tensor,
    indices as tf.Tensor,
  );
  const output = backend.outputLike([params], shape);
  const depth = indices.shape.at(-1)!;
  backend.launch({
    name: "GatherNd",
    key: `${depth}`,
    inputs: [
      { name: "params", info: params, type: "u32" },
      { name: "indices", info: indices },
    ],
    outputs: [{ name: "result", info: output, type: "u32" }],
    count: count * sliceSize,
    uniforms: [
      u32("slice", sliceSize),
      ...u32List("stride", strides.slice(0, depth)),
      ...u32List("limit", params.shape.slice(0, depth)),
    ],
    body: () => `let row = index / u.slice;
  var source = index % u.slice;
  var inside = true;
  ${Array.from(
    { length: depth },
    (_, d) => `let at${d} = load_indices(row * ${depth}u + ${d}u);
  inside = inside && at${d} >= 0 && u32(at${d}) < u.limit${d};
  source += u32(max(at${d}, 0)) * u.stride${d} * u.slice;`,
  ).join("\n  ")}
  store_result(index, 0u);
  if (inside) { store_result(index, load_params(source)); }`,
  });
  return output;
};

const oneHot: Kernel = ({ inputs: { indices }, attrs, backend }) => {
  const { depth, onValue, offValue, dtype } = attrs;
  const type = elementType(dtype ?? "int32");
  const uniform = type === "f32" ? f32 : i32;
  const output = backend.output([...indices.shape, depth], dtype ?? "int32");
  backend.launch({
    name: "OneHot",
    key: type,
    inputs: [{ name: "indices", info: indices }],
    outputs: [{ name: "result", info: output }],
    count: size(output.shape),
    uniforms: [u32("depth", depth), uniform("onValue", onValue), uniform("offValue", offValue)],
    body: () =>
      "store_result(index, select(u.offValue, u.onValue, load_indices(index / u.depth) == i32(index % u.depth)));",
  });
  return output;
};

/**
 * Rows of `x` summed by segment, in the order of rows, so that the result does not depend on scheduling. The loop runs over
 * segments or over rows, whichever are fewer: a vocabulary is large and a batch names few of its words. A result that is larger than
 * a binding is written in parts.
 */
export function segmentSum(
  backend: WebGPUBackend,
  x: TensorInfo,
  { segmentIds, numSegments }: { segmentIds: TensorInfo; numSegments: number },
): TensorInfo {
  const rest = x.shape.slice(segmentIds.shape.length);
  const rows = size(segmentIds.shape);
  const inner = size(rest);
  const byRow = rows < numSegments;
  const output = byRow
    ? fill(backend, [numSegments, ...rest], { dtype: x.dtype, value: 0 })
    : backend.output([numSegments, ...rest], x.dtype);
  const type = elementType(x.dtype);
  for (const part of partsOf(backend, output)) {
    backend.launch({
      name: "UnsortedSegmentSum",
      key: byRow ? "row" : "segment",
      inputs: [
        { name: "x", info: x },
        { name: "ids", info: segmentIds },
      ],
      outputs: [{ name: "result", info: output, part: part.count < size(output.shape) ? part : undefined }],
      count: (byRow ? rows : numSegments) * inner,
      uniforms: [
        ...compensationUniforms,
        u32("rows", rows),
        u32("inner", inner),
        u32("segments", numSegments),
        u32("first", part.first),
        u32("end", part.first + part.count),
      ],
      body: () => {
        const start = byRow
          ? `let firstRow = index / u.inner;
  let segment = load_ids(firstRow);
  if (segment < 0 || u32(segment) >= u.segments) { return; }
  // The first row of a segment sums for all of them.
  for (var j = 0u; j < firstRow; j++) { if (load_ids(j) == segment) { return; } }`
          : "let firstRow = 0u;\n  let segment = i32(index / u.inner);";
        return `${start}
  let column = index % u.inner;
  let offset = u32(segment) * u.inner + column;
  if (offset < u.first || offset >= u.end) { return; }
  ${sumWhere(type, {
    terms: "load_x(j * u.inner + column)",
    first: "firstRow",
    end: "u.rows",
    condition: "load_ids(j) == segment",
  })}
  store_result(offset - u.first, sum);`;
      },
    });
  }
  return output;
}

const unsortedSegmentSum: Kernel = ({ inputs: { x, segmentIds }, attrs, backend }) =>
  segmentSum(backend, x, { segmentIds, numSegments: attrs.numSegments });

/** Running sums, compensated where they are of float32, or products along an axis; one invocation a line. */
const scan =
  (name: "Cumsum" | "Cumprod"): Kernel =>
  ({ inputs: { x }, attrs, backend }) => {
    const { axis, exclusive, reverse } = attrs;
    const [own] = tf.util.parseAxisParam(axis, x.shape);
    const output = backend.output(x.shape, x.dtype === "bool" ? "int32" : x.dtype);
    const length = x.shape[own] ?? 1;
    const inner = stridesOf(x.shape)[own] ?? 1;
    const type = elementType(x.dtype);
    const running =
      name === "Cumsum" && type === "f32"
        ? { ...compensated("total"), plain: "totalPlain = value;" }
        : {
            declarations: `var total = ${type}(${name === "Cumsum" ? 0 : 1});`,
            add: (value: string) => `total = total ${name === "Cumsum" ? "+" : "*"} ${value};`,
            value: "total",
            plain: "",
          };
    const store = `store_result(at, ${running.value});`;
    const add = running.add("value");
    // A total of one is the number itself, -0 too.
    const start = `if (j == 0u) { total = value; ${running.plain} } else { ${add} }`;
    backend.launch({
      name,
      key: `${Boolean(exclusive)}${Boolean(reverse)}`,
      inputs: [{ name: "x", info: x }],
      outputs: [{ name: "result", info: output }],
      count: size(x.shape) / Math.max(1, length),
      uniforms: [...compensationUniforms, u32("length", length), u32("inner", inner)],
      body: () => `let base = (index / u.inner) * u.length * u.inner + index % u.inner;
  ${running.declarations}
  for (var j = 0u; j < u.length; j++) {
    let at = base + ${reverse ? "(u.length - 1u - j)" : "j"} * u.inner;
    let value = load_x(at);
    ${exclusive ? `${store}\n    ${add}` : `${start}\n    ${store}`}
  }`,
    });
    return output;
  };

/**
 * The k largest of each row in order, equal ones by index; NaN counts as the largest, as in PyTorch. Each element counts those that go before it, which is its rank:
 * quadratic in the row, but without a step that waits for another.
 */
const topK: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const { k } = attrs;
  const n = x.shape.at(-1)!;
  const shape = [...x.shape.slice(0, -1), k];
  const values = backend.output(shape, x.dtype);
  const indices = backend.output(shape, "int32");
  if (k > 0) {
    const type = elementType(x.dtype);
    // NaNs are equal among themselves.
    const isGreater = type === "f32" ? "select(a > b && !isNan(b), !isNan(b), isNan(a))" : "a > b";
    const isEqual = type === "f32" ? "select(a == b && !isNan(b), isNan(b), isNan(a))" : "a == b";
    backend.launch({
      name: "TopK",
      key: type,
      inputs: [{ name: "x", info: x }],
      outputs: [
        { name: "values", info: values },
        { name: "indices", info: indices },
      ],
      count: size(x.shape),
      uniforms: [u32("n", n), u32("k", k)],
      declarations: () => `${floatFunctions("isNan")}
fn isGreater(a: ${type}, b: ${type}) -> bool { return ${isGreater}; }
fn isEqual(a: ${type}, b: ${type}) -> bool { return ${isEqual}; }`,
      body: () => `let row = index / u.n;
  let own = index % u.n;
  let value = load_x(index);
  var rank = 0u;
  for (var j = 0u; j < u.n; j++) {
    let other = load_x(row * u.n + j);
    if (isGreater(other, value) || (j < own && isEqual(other, value))) { rank++; }
  }
  if (rank < u.k) {
    store_values(row * u.k + rank, value);
    store_indices(row * u.k + rank, i32(own));
  }`,
    });
  }
  return [values, indices];
};

export const indexingKernels: KernelTable = {
  GatherV2: gatherV2,
  GatherNd: gatherNd,
  OneHot: oneHot,
  UnsortedSegmentSum: unsortedSegmentSum,
  Cumsum: scan("Cumsum"),
  Cumprod: scan("Cumprod"),
  TopK: topK,
};
