import type { DataType } from "@tensorflow/tfjs-core";
import { f32, type Uniform } from "../launch.js";
import { elementwise } from "./elementwise.js";
import type { Kernel, KernelTable } from "./kernel.js";
import { trigonometryDeclaration } from "./trigonometry.js";

interface Unary {
  /** WGSL of the result from `x: f32`. */
  float: string;
  /** WGSL from `x: i32` where int32 (and bool) inputs stay int32; without it they are computed as float32. */
  int?: string;
  dtype?: DataType;
  /** Attributes that the WGSL reads as `u.name`, with defaults. */
  attrs?: Record<string, number>;
  declarations?: string;
}

/**
 * erf with a relative error of about 2e-7: the Taylor series below 1, above it 1 - erfc by the Chebyshev fit of
 * Press et al., Numerical Recipes, section 6.2.
 */
export const erfDeclaration = `
fn erfOf(x: f32) -> f32 {
  let a = abs(x);
  if (a < 1.0) {
    let s = x * x;
    return x * (1.1283791671 + s * (-0.3761263890 + s * (0.1128379167 + s * (-0.0268661706 + s * (0.0052239776
      + s * (-0.0008548327 + s * (0.0001205533 + s * (-0.0000149256 + s * (0.0000016462 + s * (-1.6365e-7))))))))));
  }
  let t = 1.0 / (1.0 + 0.5 * a);
  let tail = t * exp(-a * a - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806
    + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))))))));
  return select(tail - 1.0, 1.0 - tail, x > 0.0);
}`;

/** tanh without overflow, and without cancellation near zero. */
export const tanhDeclaration = `
fn tanhOf(x: f32) -> f32 {
  let a = abs(x);
  if (a < 0.3) {
    let s = x * x;
    return x * (1.0 + s * (-0.33333333 + s * (0.13333333 + s * (-0.05396825 + s * (0.02186949 + s * -0.00886324)))));
  }
  let e = exp(-2.0 * min(a, 20.0));
  return sign(x) * (1.0 - e) / (1.0 + e);
}`;

/**
 * exp to the last bit or so, where the built-in may lose a bit for each doubling of the argument: x = n ln 2 + r, with ln 2 in two
 * parts, and a polynomial for exp(r) (Cephes, expf).
 */
const expDeclaration = `
fn expOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  if (x > 88.7228317) { return infinity(); }
  if (x < -103.972) { return 0.0; }
  let n = round(x * 1.44269504);
  let r = (x - n * 0.693359375) + n * 2.12194440e-4;
  let p = ((((1.9875691500e-4 * r + 1.3981999507e-3) * r + 8.3334519073e-3) * r + 4.1665795894e-2) * r
    + 1.6666665459e-1) * r + 5.0000001201e-1;
  let half = i32(n) / 2;
  return ldexp(ldexp(p * r * r + r + 1.0, half), i32(n) - half);
}`;

/** exp(x) - 1 and log(1 + x), by series where the plain forms cancel. */
const expm1Declaration = `
fn expm1Of(x: f32) -> f32 {
  if (abs(x) < 0.35) {
    return x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0 * (1.0 + x / 7.0))))));
  }
  return exp(x) - 1.0;
}`;
const log1pDeclaration = `
fn log1pOf(x: f32) -> f32 {
  if (abs(x) < 0.3) {
    let s = x / (2.0 + x);
    let q = s * s;
    return 2.0 * s * (1.0 + q * (0.33333333 + q * (0.2 + q * (0.14285714 + q * (0.11111111 + q * 0.09090909)))));
  }
  return log(1.0 + x);
}`;

/** The NaN-keeping form of a function that WGSL leaves open for NaN. */
const keepNan = (expression: string) => `select(${expression}, x, isNan(x))`;

const seluScale = 1.0507009873554805;
const seluAlpha = 1.6732632423543772;

const table: Record<string, Unary> = {
  Abs: { float: "abs(x)", int: "abs(x)" },
  Neg: { float: "-x", int: "-x" },
  Square: { float: "x * x", int: "x * x" },
  Sign: { float: "select(sign(x), 0.0, isNan(x))", int: "sign(x)" },
  Relu: { float: keepNan("max(x, 0.0)"), int: "max(x, 0)" },
  Relu6: { float: keepNan("clamp(x, 0.0, 6.0)"), int: "clamp(x, 0, 6)" },
  ClipByValue: {
    float: keepNan("clamp(x, u.clipValueMin, u.clipValueMax)"),
    int: "i32(clamp(f32(x), u.clipValueMin, u.clipValueMax))",
    attrs: { clipValueMin: 0, clipValueMax: 0 },
  },
  Step: {
    float: keepNan("select(u.alpha, 1.0, x > 0.0)"),
    int: "select(i32(u.alpha), 1, x > 0)",
    attrs: { alpha: 0 },
  },
  LeakyRelu: { float: "select(u.alpha * x, x, x >= 0.0)", attrs: { alpha: 0.2 } },
  Elu: { float: "select(expm1Of(x), x, x >= 0.0)", declarations: expm1Declaration },
  Selu: {
    float: `${seluScale} * select(${seluAlpha} * expm1Of(x), x, x >= 0.0)`,
    declarations: expm1Declaration,
  },
  Exp: { float: "expOf(x)", declarations: expDeclaration },
  Expm1: { float: "expm1Of(x)", declarations: expm1Declaration },
  Log: { float: "select(log(x), quietNan(), x < 0.0)" },
  Log1p: { float: "log1pOf(x)", declarations: log1pDeclaration },
  Sqrt: { float: "sqrt(x)" },
  // The built-in inverseSqrt is only an estimate on some adapters.
  Rsqrt: { float: "1.0 / sqrt(x)" },
  Reciprocal: { float: "1.0 / x" },
  Floor: { float: "floor(x)", int: "x" },
  Ceil: { float: "ceil(x)", int: "x" },
  Round: { float: "round(x)", int: "x" },
  Sigmoid: { float: keepNan("1.0 / (1.0 + exp(-x))") },
  Softplus: { float: "max(x, 0.0) + log1pOf(exp(-abs(x)))", declarations: log1pDeclaration },
  Erf: { float: "erfOf(x)", declarations: erfDeclaration },
  Sin: { float: "sinOf(x)", declarations: trigonometryDeclaration },
  Cos: { float: "cosOf(x)", declarations: trigonometryDeclaration },
  Tan: { float: "tanOf(x)", declarations: trigonometryDeclaration },
  // The built-in asin and acos are good to three digits on some adapters.
  Asin: { float: "select(atan2(x, sqrt((1.0 - x) * (1.0 + x))), quietNan(), abs(x) > 1.0)" },
  Acos: { float: "select(atan2(sqrt((1.0 - x) * (1.0 + x)), x), quietNan(), abs(x) > 1.0)" },
  Atan: { float: "atan(x)" },
  Sinh: { float: "0.5 * (expm1Of(x) - expm1Of(-x))", declarations: expm1Declaration },
  Cosh: { float: "0.5 * (exp(x) + exp(-x))" },
  Tanh: { float: keepNan("tanhOf(x)"), declarations: tanhDeclaration },
  Asinh: {
    float: "sign(x) * log1pOf(abs(x) + x * x / (1.0 + sqrt(x * x + 1.0)))",
    declarations: log1pDeclaration,
  },
  Acosh: {
    float: "select(log1pOf((x - 1.0) + sqrt((x - 1.0) * (x + 1.0))), quietNan(), x < 1.0)",
    declarations: log1pDeclaration,
  },
  Atanh: {
    float: "select(0.5 * log1pOf(2.0 * x / (1.0 - x)), quietNan(), abs(x) > 1.0)",
    declarations: log1pDeclaration,
  },
  IsNan: { float: "select(0, 1, isNan(x))", int: "0", dtype: "bool" },
  IsInf: { float: "select(0, 1, isInf(x))", int: "0", dtype: "bool" },
  IsFinite: { float: "select(1, 0, isNan(x) || isInf(x))", int: "1", dtype: "bool" },
  LogicalNot: { float: "select(0, 1, x == 0.0)", int: "select(0, 1, x == 0)", dtype: "bool" },
};

const unary =
  (name: string, { float, int, dtype, attrs: defaults = {}, declarations }: Unary): Kernel =>
  ({ inputs: { x, logits }, attrs, backend }) => {
    const input = x ?? logits;
    const isFloat = input.dtype === "float32";
    const uniforms: Uniform[] = Object.entries(defaults).map(([key, value]) => f32(key, attrs[key] ?? value));
    const own = dtype ?? (isFloat || !int ? "float32" : input.dtype === "bool" ? "bool" : "int32");
    if (isFloat || int) {
      const expression = isFloat ? float : int!;
      return elementwise(backend, {
        name,
        inputs: { x: input },
        shape: input.shape,
        dtype: own,
        uniforms,
        declarations,
        expression,
      });
    }
    return elementwise(backend, {
      name,
      inputs: { whole: input },
      shape: input.shape,
      dtype: own,
      uniforms,
      declarations: `${declarations ?? ""}
fn ofFloat(x: f32) -> f32 { return ${float}; }`,
      expression: "ofFloat(f32(whole))",
    });
  };

export const unaryKernels: KernelTable = Object.fromEntries(
  Object.entries(table).map(([name, definition]) => [name, unary(name, definition)]),
);
