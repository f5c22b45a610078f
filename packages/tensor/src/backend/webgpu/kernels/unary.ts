import type { DataType } from "@tensorflow/tfjs-core";
import { f32, i32, type Uniform } from "../launch.js";
import { elementwise, wholeOf } from "./elementwise.js";
import type { FloatFunction } from "./float-functions.js";
import type { Kernel, KernelTable } from "./kernel.js";

interface Unary {
  /** WGSL of the result from `x: f32`. */
  float: string;
  /** WGSL from `x: i32` for int32 and bool; without it they are computed as float32, and cut to their dtype as on tfjs's cpu backend. */
  int?: string;
  dtype?: DataType;
  /** Attributes that the WGSL reads as `u.name`, with defaults: f32, or i32 for `int`. */
  attrs?: Record<string, number>;
  functions?: readonly FloatFunction[];
}

/** Keeps NaN, for which WGSL leaves the result of the expression open. */
const keepNan = (expression: string) => `select(${expression}, x, isNan(x))`;

const seluScale = 1.0507009873554805;
const seluAlpha = 1.6732632423543772;

const table: Record<string, Unary> = {
  Abs: { float: "abs(x)", int: "abs(x)" },
  Neg: { float: "-x", int: "-x" },
  Square: { float: "x * x", int: "x * x" },
  Sign: { float: "select(sign(x), 0.0, isNan(x))", int: "sign(x)" },
  Relu: { float: keepNan("select(0.0, x, x > 0.0)"), int: "max(x, 0)" },
  Relu6: { float: keepNan("select(0.0, min(x, 6.0), x > 0.0)"), int: "clamp(x, 0, 6)" },
  ClipByValue: {
    float: keepNan("clamp(x, u.clipValueMin, u.clipValueMax)"),
    int: "clamp(x, u.clipValueMin, u.clipValueMax)",
    attrs: { clipValueMin: 0, clipValueMax: 0 },
  },
  Step: {
    float: keepNan("select(u.alpha, 1.0, x > 0.0)"),
    int: "select(u.alpha, 1, x > 0)",
    attrs: { alpha: 0 },
  },
  LeakyRelu: { float: "select(u.alpha * x, x, x >= 0.0)", attrs: { alpha: 0.2 }, dtype: "float32" },
  Elu: { float: "select(expm1Of(x), x, x >= 0.0)", functions: ["expm1Of"] },
  Selu: {
    float: `${seluScale} * select(${seluAlpha} * expm1Of(x), x, x >= 0.0)`,
    functions: ["expm1Of"],
  },
  Exp: { float: "expOf(x)", functions: ["expOf"], dtype: "float32" },
  Expm1: { float: "expm1Of(x)", functions: ["expm1Of"] },
  Log: { float: "logOf(x)", functions: ["logOf"] },
  Log1p: { float: "log1pOf(x)", functions: ["log1pOf"] },
  Sqrt: { float: "sqrt(x)" },
  // The built-in inverseSqrt is only an estimate on some adapters.
  Rsqrt: { float: "1.0 / sqrt(x)" },
  Reciprocal: { float: "1.0 / x" },
  Floor: { float: "floor(x)", int: "x" },
  Ceil: { float: "ceil(x)", int: "x" },
  Round: { float: "round(x)", int: "x" },
  Sigmoid: { float: "1.0 / (1.0 + fastExp(-x))", functions: ["fastExp"] },
  Softplus: {
    float: "max(x, 0.0) + log1pOf(expOf(-abs(x)))",
    // The logarithm is below 1.
    int: "max(x, 0)",
    functions: ["expOf", "log1pOf"],
  },
  Erf: { float: keepNan("erfOf(x)"), functions: ["erfOf"] },
  Sin: { float: "sinOf(x)", functions: ["trigonometry"] },
  Cos: { float: "cosOf(x)", functions: ["trigonometry"] },
  Tan: { float: "tanOf(x)", functions: ["trigonometry"] },
  // The built-in asin and acos are good to three digits on some adapters.
  Asin: {
    float: "select(atan2Of(x, sqrt((1.0 - x) * (1.0 + x))), quietNan(), abs(x) > 1.0)",
    functions: ["atan2Of"],
  },
  Acos: {
    float: "select(atan2Of(sqrt((1.0 - x) * (1.0 + x)), x), quietNan(), abs(x) > 1.0)",
    functions: ["atan2Of"],
  },
  Atan: { float: "atanOf(x)", functions: ["atan2Of"] },
  // Beyond 40 the smaller exponential is negligible, and the larger one overflows before its half does.
  Sinh: {
    float:
      "select(0.5 * (expm1Of(x) - expm1Of(-x)), withSign(0.5 * expOf(0.5 * abs(x)) * expOf(0.5 * abs(x)), x), abs(x) > 40.0)",
    functions: ["expm1Of"],
  },
  Cosh: {
    float:
      "select(0.5 * (expOf(x) + expOf(-x)), 0.5 * expOf(0.5 * abs(x)) * expOf(0.5 * abs(x)), abs(x) > 40.0)",
    functions: ["expOf"],
  },
  Tanh: { float: "tanhOf(x)", functions: ["tanhOf"] },
  // Beyond 1e4 the 1 is negligible, and the square of x may overflow.
  Asinh: {
    float:
      "withSign(select(log1pOf(abs(x) + x * x / (1.0 + sqrt(x * x + 1.0))), logOf(abs(x)) + 0.693147181, abs(x) > 1e4), x)",
    functions: ["log1pOf"],
  },
  Acosh: {
    float:
      "select(select(log1pOf((x - 1.0) + sqrt((x - 1.0) * (x + 1.0))), logOf(x) + 0.693147181, x > 1e4), quietNan(), x < 1.0)",
    functions: ["log1pOf"],
  },
  Atanh: {
    float: "select(0.5 * log1pOf(2.0 * x / (1.0 - x)), quietNan(), abs(x) > 1.0)",
    functions: ["log1pOf"],
  },
  IsNan: { float: "select(0, 1, isNan(x))", int: "0", dtype: "bool" },
  IsInf: { float: "select(0, 1, isInf(x))", int: "0", dtype: "bool" },
  IsFinite: { float: "select(1, 0, isNan(x) || isInf(x))", int: "1", dtype: "bool" },
  LogicalNot: { float: "select(0, 1, x == 0.0 && !isNan(x))", int: "select(0, 1, x == 0)", dtype: "bool" },
};

const unary =
  (name: string, { float, int, dtype, attrs: defaults = {}, functions }: Unary): Kernel =>
  ({ inputs: { x, logits }, attrs, backend }) => {
    const input = x ?? logits;
    const isFloat = input.dtype === "float32";
    const own = dtype ?? input.dtype;
    const staysInt = !isFloat && int !== undefined;
    const uniforms: Uniform[] = Object.entries(defaults).map(([key, fallback]) => {
      const value: number = attrs[key] ?? fallback;
      return staysInt
        ? i32(key, Math.trunc(Math.min(Math.max(value, -(2 ** 31)), 2 ** 31 - 1)))
        : f32(key, value);
    });
    if (isFloat || int) {
      const result = isFloat ? float : int!;
      const expression = input.dtype === "bool" && !dtype ? `select(0, 1, (${result}) != 0)` : result;
      return elementwise(backend, {
        name,
        inputs: { x: input },
        shape: input.shape,
        dtype: own,
        uniforms,
        functions,
        expression,
      });
    }
    const value = "ofFloat(f32(whole))";
    return elementwise(backend, {
      name,
      inputs: { whole: input },
      shape: input.shape,
      dtype: own,
      uniforms,
      functions: [...(functions ?? []), "toInt32"],
      declarations: `
fn ofFloat(x: f32) -> f32 { return ${float}; }`,
      expression: own === "float32" ? value : wholeOf(value, own),
    });
  };

export const unaryKernels: KernelTable = Object.fromEntries(
  Object.entries(table).map(([name, definition]) => [name, unary(name, definition)]),
);
