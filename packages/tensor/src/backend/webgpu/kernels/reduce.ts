import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { f32, u32, u32List } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { compensatedSum, compensationUniforms } from "./compensated-sum.js";
import { mergeStrides } from "./elementwise.js";
import { floatFunctions } from "./float-functions.js";
import { elementType, type Kernel, type KernelTable } from "./kernel.js";
import { stridesOf } from "./moves.js";
import { cast } from "./shape.js";

interface Reduction {
  /** WGSL of the neutral element, by element type; of bool where the one of int32 is none of it. */
  neutral: Record<"f32" | "i32", string> & { bool?: string };
  /** WGSL of two values in one, from `a` and `b`. */
  combine: Record<"f32" | "i32", string>;
}

const both = (wgsl: string) => ({ f32: wgsl, i32: wgsl });
const lowest = "(-2147483647 - 1)";

const reductions = {
  Sum: { neutral: { f32: "0.0", i32: "0" }, combine: both("a + b") },
  /** Of float32 see `floatProduct`. */
  Prod: { neutral: { f32: "1.0", i32: "1" }, combine: both("a * b") },
  Max: {
    neutral: { f32: "-infinity()", i32: lowest, bool: "0" },
    combine: { f32: "select(max(a, b), a + b, isNan(a) || isNan(b))", i32: "max(a, b)" },
  },
  Min: {
    neutral: { f32: "infinity()", i32: "2147483647", bool: "1" },
    combine: { f32: "select(min(a, b), a + b, isNan(a) || isNan(b))", i32: "min(a, b)" },
  },
  All: { neutral: both("1"), combine: both("a & b") },
  Any: { neutral: both("0"), combine: both("a | b") },
} satisfies Record<string, Reduction>;

type ReductionName = keyof typeof reductions;

/** Invocations that keep a device busy, and elements that justify one more invocation and a second pass. */
const wanted = (backend: WebGPUBackend) =>
  backend.isSoftware ? { invocations: 128, elements: 512 } : { invocations: 16384, elements: 32 };

export interface ReduceOptions {
  name: ReductionName;
  axes: readonly number[];
  /** Whether reduced axes stay, with size 1. */
  keepDims?: boolean;
  /** Multiplies the result, for means. */
  scale?: number;
}

/**
 * `x` reduced over `axes`, any of them. An output element belongs to one invocation; where that leaves the device idle,
 * several share it by every n-th element and a second pass combines them. Dense rows are read, and added up, by four. Sums of
 * float32 are compensated; a product of float32 belongs to one invocation, which keeps its power of two apart.
 */
export function reduce(
  backend: WebGPUBackend,
  x: TensorInfo,
  { name, axes, keepDims = false, scale = 1 }: ReduceOptions,
): TensorInfo {
  const shape = x.shape.flatMap((n, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [n]));
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const reduced = x.shape.map((_, axis) => axis).filter((axis) => axes.includes(axis));
  const steps = stridesOf(x.shape);
  const pick = (chosen: number[]) => {
    const { dims, strides } = mergeStrides(
      chosen.map((axis) => x.shape[axis]),
      [chosen.map((axis) => steps[axis])],
    );
    return { dims, strides: strides[0] };
  };
  const outputs = tf.util.sizeFromShape(shape);
  const length = tf.util.sizeFromShape(reduced.map((axis) => x.shape[axis]));
  const [keptAxes, reducedAxes] = [pick(kept), pick(reduced)];
  const dense = reducedAxes.dims.length === 1 && reducedAxes.strides[0] === 1;
  const isFloatProduct = name === "Prod" && x.dtype === "float32";
  const width =
    !isFloatProduct && dense && [length, ...keptAxes.strides].every((step) => step % 4 === 0) ? 4 : 1;
  const { invocations, elements } = wanted(backend);
  const share = Math.floor(invocations / Math.max(1, outputs));
  const chunks = isFloatProduct ? 1 : Math.max(1, Math.min(share, Math.ceil(length / elements)));
  const partial = reduceChunks(backend, x, {
    name,
    width,
    outputs,
    kept: keptAxes,
    reduced: reducedAxes,
    length,
    chunks,
    scale: chunks === 1 ? scale : 1,
  });
  if (chunks === 1) return { ...partial, shape };
  const whole = reduce(backend, partial, { name, axes: [1], scale });
  backend.disposeAll(partial);
  return { ...whole, shape };
}

interface Axes {
  dims: number[];
  strides: number[];
}

interface Chunks {
  name: ReductionName;
  /** Elements that are read at once. */
  width: 1 | 4;
  outputs: number;
  kept: Axes;
  reduced: Axes;
  /** Elements reduced to one. */
  length: number;
  /** Invocations that share them. */
  chunks: number;
  scale: number;
}

/**
 * WGSL of the product `sum` of `u.length` float32 elements, each at `at`. Its power of two is kept apart, so that it over- or underflows
 * where the whole product does, and nowhere on the way.
 */
const floatProduct = (at: string) => `var fraction = 1.0;
  var exponent = 0;
  for (var j = 0u; j < u.length; j++) {
    ${at}
    let value = load_x(at);
    if (isOrdinary(value) && isOrdinary(fraction)) {
      let factor = frexp(value);
      let product = frexp(fraction * factor.fract);
      fraction = product.fract;
      exponent += factor.exp + product.exp;
    } else {
      fraction = select(fraction * value, quietNan(), isNan(fraction) || isNan(value));
    }
  }
  var sum = fraction;
  if (isOrdinary(fraction)) {
    // ldexp takes exponents of normal numbers.
    exponent = clamp(exponent, -250, 250);
    sum = ldexp(ldexp(fraction, exponent / 2), exponent - exponent / 2);
  }`;

/** One pass: `[outputs, chunks]`. */
function reduceChunks(backend: WebGPUBackend, x: TensorInfo, pass: Chunks): TensorInfo {
  const { name, width, outputs, kept, reduced, length, chunks, scale } = pass;
  const result = backend.output([outputs, chunks], x.dtype);
  const type = elementType(x.dtype) as "f32" | "i32";
  const read = width === 4 ? `vec4<${type}>` : type;
  const { neutral, combine }: Reduction = reductions[name];
  const first = (x.dtype === "bool" && neutral.bool) || neutral[type];
  backend.launch({
    name,
    key: `${width},${kept.dims.length},${reduced.dims.length}${chunks === 1 && scale !== 1 ? "scaled" : ""}${first}`,
    inputs: [{ name: "x", info: x, type: read }],
    outputs: [{ name: "result", info: result }],
    count: outputs * chunks,
    uniforms: [
      ...compensationUniforms,
      u32("chunks", chunks),
      u32("length", length / width),
      f32("scale", scale),
      ...u32List("dim", kept.dims),
      ...u32List(
        "step",
        kept.strides.map((step) => step / width),
      ),
      ...u32List("reducedDim", reduced.dims),
      ...u32List("reducedStep", reduced.strides),
    ],
    declarations: () => `${floatFunctions("isNan")}
fn isOrdinary(x: f32) -> bool { return x != 0.0 && !isInf(x) && !isNan(x); }
fn combine(a: ${type}, b: ${type}) -> ${type} { return ${combine[type]}; }
fn combineVectors(a: vec4<${type}>, b: vec4<${type}>) -> vec4<${type}> {
  return vec4<${type}>(combine(a.x, b.x), combine(a.y, b.y), combine(a.z, b.z), combine(a.w, b.w));
}`,
    body: () => {
      const lines = ["let chunk = index % u.chunks;", "var rest = index / u.chunks;", "var base = 0u;"];
      for (let axis = kept.dims.length - 1; axis > 0; axis--) {
        lines.push(`base += (rest % u.dim${axis}) * u.step${axis}; rest = rest / u.dim${axis};`);
      }
      if (kept.dims.length) lines.push("base += rest * u.step0;");
      const at: string[] = [];
      if (reduced.dims.length <= 1) {
        at.push(reduced.dims.length ? "let at = base + j * u.reducedStep0;" : "let at = base;");
      } else {
        at.push("var left = j;", "var at = base;");
        for (let axis = reduced.dims.length - 1; axis > 0; axis--) {
          at.push(
            `at += (left % u.reducedDim${axis}) * u.reducedStep${axis}; left = left / u.reducedDim${axis};`,
          );
        }
        at.push("at += left * u.reducedStep0;");
      }
      const [step, value] =
        width === 4
          ? ["combineVectors(sum, load_x(at))", "combine(combine(sum.x, sum.y), combine(sum.z, sum.w))"]
          : ["combine(sum, load_x(at))", "sum"];
      const before = at.join("\n");
      if (name === "Sum" && type === "f32") {
        const range = { first: "chunk", step: "u.chunks", end: "u.length" };
        lines.push(
          compensatedSum({
            ...range,
            before,
            sums: { sum: { type: width === 4 ? "vec4<f32>" : "f32", term: "load_x(at)" } },
          }),
        );
      } else if (name === "Prod" && type === "f32") {
        lines.push(floatProduct(before));
      } else {
        lines.push(`var sum = ${read}(${first});
  for (var j = chunk; j < u.length; j += u.chunks) {
    ${before}
    sum = ${step};
  }`);
      }
      lines.push(`let whole = ${value};`);
      lines.push(`store_result(index, whole${chunks === 1 && scale !== 1 ? " * u.scale" : ""});`);
      return lines.join("\n  ");
    },
  });
  return result;
}

const reduction =
  (name: ReductionName): Kernel =>
  ({ inputs: { x }, attrs, backend }) => {
    const axes = tf.util.parseAxisParam(attrs.axis ?? attrs.reductionIndices, x.shape);
    // Sums and products of bools count.
    if (x.dtype === "bool" && (name === "Sum" || name === "Prod")) {
      const whole = cast(backend, x, "int32");
      const result = reduce(backend, whole, { name, axes, keepDims: attrs.keepDims });
      backend.disposeAll(whole);
      return result;
    }
    return reduce(backend, x, { name, axes, keepDims: attrs.keepDims });
  };

const mean: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const axes = tf.util.parseAxisParam(attrs.axis, x.shape);
  const count = axes.reduce((product, axis) => product * x.shape[axis], 1);
  const float = cast(backend, x, "float32");
  const result = reduce(backend, float, { name: "Sum", axes, keepDims: attrs.keepDims, scale: 1 / count });
  backend.disposeAll(float);
  return result;
};

/** The index of the first largest or smallest element along one axis. A NaN counts only where it is the first, as on tfjs's cpu backend. */
const argument =
  (name: "ArgMax" | "ArgMin"): Kernel =>
  ({ inputs: { x }, attrs, backend }) => {
    const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape);
    const shape = x.shape.filter((_, i) => i !== axis);
    const result = backend.output(shape, "int32");
    const inner = tf.util.sizeFromShape(x.shape.slice(axis + 1));
    const type = elementType(x.dtype);
    backend.launch({
      name,
      key: "",
      inputs: [{ name: "x", info: x }],
      outputs: [{ name: "result", info: result }],
      count: tf.util.sizeFromShape(shape),
      uniforms: [u32("length", x.shape[axis]), u32("inner", inner)],
      declarations: () =>
        `${floatFunctions("isNan")}
fn isBetter(a: ${type}, b: ${type}) -> bool {
  return a ${name === "ArgMax" ? ">" : "<"} b${type === "f32" ? " && !isNan(a) && !isNan(b)" : ""};
}`,
      body: () => `let base = (index / u.inner) * u.length * u.inner + index % u.inner;
  var best = load_x(base);
  var bestAt = 0u;
  for (var j = 1u; j < u.length; j++) {
    let value = load_x(base + j * u.inner);
    if (isBetter(value, best)) { best = value; bestAt = j; }
  }
  store_result(index, i32(bestAt));`,
    });
    return result;
  };

export const reduceKernels: KernelTable = {
  Sum: reduction("Sum"),
  Prod: reduction("Prod"),
  Max: reduction("Max"),
  Min: reduction("Min"),
  All: reduction("All"),
  Any: reduction("Any"),
  Mean: mean,
  ArgMax: argument("ArgMax"),
  ArgMin: argument("ArgMin"),
};
