import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { elementwise, wholeOf } from "./elementwise.js";
import type { FloatFunction } from "./float-functions.js";
import type { Kernel, KernelTable } from "./kernel.js";

interface Binary {
  /** WGSL from `a: f32` and `b: f32`. */
  float?: string;
  /** WGSL from `a: i32` and `b: i32`, for int32 and bool. */
  int?: string;
  dtype?: DataType;
  functions?: readonly FloatFunction[];
  declarations?: string;
}

/** NaN compares as unequal and unordered, which WGSL does not promise. */
const comparison = (operator: string): Binary => ({
  float: `select(0, 1, a ${operator} b && !isNan(a) && !isNan(b))`,
  int: `select(0, 1, a ${operator} b)`,
  dtype: "bool",
});

/** Divisions of int32 that round towards minus infinity, as tfjs's floorDiv and mod do; by 0 they give 0. */
const wholeDivision = `
fn floorDivOf(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  let q = a / b;
  return select(q, q - 1, q * b != a && ((a < 0) != (b < 0)));
}
fn floorModWhole(a: i32, b: i32) -> i32 { return select(a - b * floorDivOf(a, b), 0, b == 0); }`;

const wholePower = `
fn powWhole(base: i32, exponent: i32) -> i32 {
  if (exponent < 0) { return select(0, select(1, base, (exponent & 1) == 1), abs(base) == 1); }
  var result = 1;
  var square = base;
  var rest = exponent;
  while (rest > 0) {
    if ((rest & 1) == 1) { result *= square; }
    square *= square;
    rest >>= 1u;
  }
  return result;
}`;

const table: Record<string, Binary> = {
  Add: { float: "a + b", int: "a + b" },
  Sub: { float: "a - b", int: "a - b" },
  Multiply: { float: "a * b", int: "a * b" },
  RealDiv: { float: "a / b" },
  FloorDiv: {
    float: "toInt32(floorQuotient(a, b))",
    int: "floorDivOf(a, b)",
    dtype: "int32",
    functions: ["floorQuotient", "toInt32"],
    declarations: wholeDivision,
  },
  Mod: {
    float: "floorModOf(a, b)",
    int: "floorModWhole(a, b)",
    functions: ["floorModOf"],
    declarations: wholeDivision,
  },
  Pow: { float: "powOf(a, b)", int: "powWhole(a, b)", functions: ["powOf"], declarations: wholePower },
  Maximum: { float: "maximumOf(a, b)", int: "max(a, b)", functions: ["maximumOf"] },
  Minimum: { float: "minimumOf(a, b)", int: "min(a, b)", functions: ["maximumOf"] },
  SquaredDifference: { float: "(a - b) * (a - b)", int: "(a - b) * (a - b)" },
  Atan2: { float: "atan2Of(a, b)", functions: ["atan2Of"] },
  Equal: comparison("=="),
  NotEqual: { ...comparison("!="), float: "select(0, 1, a != b || isNan(a) || isNan(b))" },
  Less: comparison("<"),
  LessEqual: comparison("<="),
  Greater: comparison(">"),
  GreaterEqual: comparison(">="),
  LogicalAnd: { int: "select(0, 1, a != 0 && b != 0)", dtype: "bool" },
  LogicalOr: { int: "select(0, 1, a != 0 || b != 0)", dtype: "bool" },
  BitwiseAnd: { int: "a & b" },
};

/** An elementwise function of two broadcast tensors, in the wider dtype; where that has no WGSL of its own, by that of float32. */
function binary(
  backend: WebGPUBackend,
  [a, b]: [TensorInfo, TensorInfo],
  { name, float, int, dtype, functions, declarations }: Binary & { name: string },
): TensorInfo {
  const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
  const floats = [a, b].map((info) => info.dtype === "float32");
  const own = dtype ?? tf.upcastType(a.dtype, b.dtype);
  if ((floats[0] && floats[1] && float) || (!floats[0] && !floats[1] && int)) {
    const expression = (floats[0] ? float : int)!;
    return elementwise(backend, {
      name,
      inputs: { a, b },
      shape,
      dtype: own,
      functions,
      declarations,
      expression,
    });
  }
  if (!float) throw new Error(`${name}: expected int32 or bool inputs, got ${a.dtype} and ${b.dtype}`);
  const isWhole = dtype === undefined && own !== "float32";
  const type = dtype !== undefined && dtype !== "float32" ? "i32" : "f32";
  return elementwise(backend, {
    name,
    inputs: { a0: a, b0: b },
    shape,
    dtype: own,
    functions: [...(functions ?? []), ...(isWhole ? (["toInt32"] as const) : [])],
    declarations: `${declarations ?? ""}
fn ofFloats(a: f32, b: f32) -> ${type} { return ${float}; }`,
    expression: isWhole ? wholeOf("ofFloats(f32(a0), f32(b0))", own) : "ofFloats(f32(a0), f32(b0))",
  });
}

const kernel =
  (name: string, definition: Binary): Kernel =>
  ({ inputs: { a, b }, backend }) =>
    binary(backend, [a, b], { name, ...definition });

/** Sum of any number of tensors of one shape. */
const addN: Kernel = ({ inputs, backend }) => {
  const terms = Object.values(inputs);
  const { shape, dtype } = terms[0];
  if (terms.length === 1) return backend.alias(terms[0], shape);
  // A launch binds a handful of tensors; longer sums go in groups.
  const group = 6;
  let sum: TensorInfo | null = null;
  for (let start = 0; start < terms.length; start += group) {
    const part: TensorInfo[] = terms.slice(start, start + group);
    if (sum) part.push(sum);
    const names = part.map((_, i) => `x${i}`);
    const next = elementwise(backend, {
      name: "AddN",
      inputs: Object.fromEntries(part.map((info, i) => [names[i], info])),
      shape,
      dtype,
      expression: names.join(" + "),
    });
    if (sum) backend.disposeAll(sum);
    sum = next;
  }
  return sum!;
};

const select: Kernel = ({ inputs: { condition, t, e }, backend }) => {
  // tfjs-core's broadcast leaves an axis of 1 where there is to be none.
  const shape = [condition, t, e].map((x) => x.shape).find((own) => own.includes(0)) ?? t.shape;
  const dtype = t.dtype === e.dtype ? t.dtype : tf.upcastType(t.dtype, e.dtype);
  const cast = dtype === "float32" ? "f32" : "i32";
  return elementwise(backend, {
    name: "Select",
    inputs: { condition, t, e },
    shape,
    dtype,
    expression: `select(${cast}(e), ${cast}(t), condition != 0)`,
  });
};

const prelu: Kernel = ({ inputs: { x, alpha }, backend }) =>
  elementwise(backend, {
    name: "Prelu",
    inputs: { x, alpha },
    shape: tf.broadcast_util.assertAndGetBroadcastShape(x.shape, alpha.shape),
    dtype: "float32",
    expression: "select(f32(alpha) * f32(x), f32(x), f32(x) >= 0.0)",
  });

const eluGrad: Kernel = ({ inputs: { dy, y }, backend }) =>
  elementwise(backend, {
    name: "EluGrad",
    inputs: { dy, y },
    shape: y.shape,
    dtype: "float32",
    expression: "select(dy * (y + 1.0), dy, y >= 0.0)",
  });

export const binaryKernels: KernelTable = {
  ...Object.fromEntries(Object.entries(table).map(([name, definition]) => [name, kernel(name, definition)])),
  AddN: addN,
  Select: select,
  Prelu: prelu,
  EluGrad: eluGrad,
};
