import type { TensorInfo } from "@tensorflow/tfjs-core";
import { util } from "@tensorflow/tfjs-core";
import { u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { elementwise } from "./elementwise.js";
import { type FloatFunction, floatFunctions } from "./float-functions.js";
import type { Attributes, Kernel, KernelTable } from "./kernel.js";

interface Curve {
  functions: readonly FloatFunction[];
  declarations: string;
  /** WGSL of the value and of the derivative, from `x`. */
  value: string;
  slope: string;
}

/** x / (1 + exp(-rate x)). Beyond 100 its slope is 0 or 1, and a product of its parts may be 0 times infinity. */
const gated = (rate: string): Curve => ({
  functions: [],
  declarations: `
fn gate(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x * ${rate})); }
fn gatedSlope(x: f32) -> f32 {
  let near = clamp(x, -100.0, 100.0);
  let g = gate(near);
  return select(g * (1.0 + near * ${rate} * (1.0 - g)), x, isNan(x));
}`,
  value: `x / (1.0 + exp(-x * ${rate}))`,
  slope: "gatedSlope(x)",
});

const silu = gated("1.0");

/** The three Gaussian error linear units; see `gelu`. */
const gelus: Record<string, Curve> = {
  quick: gated("1.702"),
  erf: {
    functions: ["erfOf"],
    declarations: `
fn phi(x: f32) -> f32 { return 0.5 * (1.0 + erfOf(x * 0.70710678)); }`,
    value: "x * phi(x)",
    // Beyond 20 the exponential is nothing.
    slope: "(phi(x) + clamp(x, -20.0, 20.0) * 0.39894228 * exp(-0.5 * x * x))",
  },
  tanh: {
    functions: ["tanhOf"],
    declarations: `
fn gate(x: f32) -> f32 { return tanhOf(0.79788456 * x * (1.0 + 0.044715 * x * x)); }
fn tanhSlope(x: f32) -> f32 {
  let t = gate(x);
  // Beyond 20, where t is -1 or 1, the square of x may overflow.
  let near = clamp(x, -20.0, 20.0);
  return 0.5 * (1.0 + t + near * (1.0 - t * t) * 0.79788456 * (1.0 + 0.134145 * near * near));
}`,
    value: "0.5 * x * (1.0 + gate(x))",
    slope: "tanhSlope(x)",
  },
};

const forward =
  (name: string, curve: (attrs: Attributes) => [string, Curve]): Kernel =>
  ({ inputs: { x }, attrs, backend }) => {
    const [key, { functions, declarations, value }] = curve(attrs);
    return elementwise(backend, {
      name,
      key,
      inputs: { x },
      shape: x.shape,
      dtype: "float32",
      functions,
      declarations,
      expression: value,
    });
  };

const gradient =
  (name: string, curve: (attrs: Attributes) => [string, Curve]): Kernel =>
  ({ inputs: { x, dy }, attrs, backend }) => {
    const [key, { functions, declarations, slope }] = curve(attrs);
    const expression = `dy * ${slope}`;
    return elementwise(backend, {
      name,
      key,
      inputs: { x, dy },
      shape: x.shape,
      dtype: "float32",
      functions,
      declarations,
      expression,
    });
  };

const siluOf = (): [string, Curve] => ["", silu];
const geluOf = ({ variant }: Attributes): [string, Curve] => [variant, gelus[variant]];

interface Halves {
  name: string;
  /** `[rows, width]`. */
  shape: number[];
  inputs: Record<string, TensorInfo>;
  output: TensorInfo;
  /** WGSL, given what applies an expression to each element of a vector. */
  body: (each: (expression: string) => string) => string;
}

/** Runs `body` for each element of `[rows, width]`; it sees the offsets `hidden` and `gated` in the two halves of `[rows, 2 * width]`. */
function halves(backend: WebGPUBackend, { name, shape, inputs, output, body }: Halves): TensorInfo {
  const width = shape[shape.length - 1];
  const step = width % 4 === 0 ? 4 : 1;
  const type = step === 4 ? "vec4<f32>" : "f32";
  const { functions, declarations, value, slope } = gelus.erf;
  // `expression` of each element, from what `@` stands behind.
  const each = (expression: string) =>
    step === 1
      ? expression.replaceAll("@", "")
      : `${type}(${["x", "y", "z", "w"].map((c) => expression.replaceAll("@", `.${c}`)).join(", ")})`;
  backend.launch({
    name,
    key: type,
    inputs: Object.entries(inputs).map(([input, info]) => ({ name: input, info, type })),
    outputs: [{ name: "result", info: output, type }],
    count: util.sizeFromShape(shape) / step,
    rowLength: width / step,
    uniforms: [u32("width", width / step)],
    declarations: () => `${floatFunctions(...functions)}${declarations}
fn gelu(x: f32) -> f32 { return ${value}; }
fn geluSlope(x: f32) -> f32 { return ${slope}; }`,
    body: () => `let hidden = row * 2u * u.width + column;
  let gated = hidden + u.width;
  ${body(each)}`,
  });
  return output;
}

const geglu: Kernel = ({ inputs: { x }, backend }) => {
  const shape = [...x.shape.slice(0, -1), x.shape[x.shape.length - 1] / 2];
  return halves(backend, {
    name: "Geglu",
    shape,
    inputs: { source: x },
    output: backend.activation(shape, [x]),
    body: (each) => `let gate = load_source(gated);
  store_result(index, load_source(hidden) * ${each("gelu(gate@)")});`,
  });
};

const gegluGrad: Kernel = ({ inputs: { x, dy }, backend }) =>
  halves(backend, {
    name: "GegluGrad",
    shape: dy.shape,
    inputs: { source: x, dy },
    output: backend.output(x.shape, "float32"),
    body: (each) => `let gate = load_source(gated);
  let gradient = load_dy(index);
  let before = load_source(hidden);
  store_result(hidden, gradient * ${each("gelu(gate@)")});
  store_result(gated, gradient * before * ${each("geluSlope(gate@)")});`,
  });

export const activationKernels: KernelTable = {
  Silu: forward("Silu", siluOf),
  SiluGrad: gradient("SiluGrad", siluOf),
  Gelu: forward("Gelu", geluOf),
  GeluGrad: gradient("GeluGrad", geluOf),
  Geglu: geglu,
  GegluGrad: gegluGrad,
};
