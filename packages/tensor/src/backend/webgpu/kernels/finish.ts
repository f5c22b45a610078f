import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { f32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import type { Ending } from "./addends.js";
import { elementwise } from "./elementwise.js";
import { type FloatFunction, floatFunctions } from "./float-functions.js";
import type { Attributes } from "./kernel.js";

/** What tfjs's fused products make of their sums. */
export interface Finish {
  bias?: TensorInfo;
  activation: string;
  /** Of `prelu`. */
  slope?: TensorInfo;
  /** Of `leakyrelu`. */
  leak: number;
}

/** tfjs's fused activations, in WGSL from `x`, with what they call. */
const activations: Record<string, { value: string; functions?: readonly FloatFunction[] }> = {
  linear: { value: "x" },
  relu: { value: "select(select(0.0, x, x > 0.0), x, isNan(x))", functions: ["isNan"] },
  relu6: { value: "select(select(0.0, min(x, 6.0), x > 0.0), x, isNan(x))", functions: ["isNan"] },
  elu: { value: "select(expm1Of(x), x, x >= 0.0)", functions: ["expm1Of"] },
  leakyrelu: { value: "select(u.leak * x, x, x >= 0.0)" },
  sigmoid: { value: "1.0 / (1.0 + fastExp(-x))", functions: ["fastExp"] },
  prelu: { value: "select(slope * x, x, x >= 0.0)" },
};

/** As tfjs hands it to kernels. */
export function finishOf(inputs: Record<string, TensorInfo>, attrs: Attributes): Finish {
  const { activation = "linear", leakyreluAlpha = 0.2 } = attrs;
  if (!(activation in activations)) {
    throw new Error(
      `fused activation: expected one of ${Object.keys(activations).join(", ")}, got "${activation}"`,
    );
  }
  const slope = activation === "prelu" ? inputs.preluActivationWeights : undefined;
  return { bias: inputs.bias, activation, slope, leak: leakyreluAlpha };
}

const isNothing = ({ bias, activation }: Finish) => !bias && activation === "linear";

const uniforms = ({ leak }: Finish) => [f32("leak", leak)];

const declarations = ({ activation }: Finish) => `
fn activate(x: f32, slope: f32) -> f32 { return ${activations[activation].value}; }`;

/** As the product of `columns` columns is written, where bias and slopes have a value for each column; undefined elsewhere. */
export function finishEnding(finish: Finish, columns: number): Ending | undefined {
  if (isNothing(finish)) return {};
  const { bias, activation, slope } = finish;
  const inputs = Object.entries({ bias, slope }).flatMap(([name, info]) => (info ? [{ name, info }] : []));
  const isOfColumns = ({ shape, dtype }: TensorInfo) =>
    dtype === "float32" && tf.util.sizeFromShape(shape) === columns && shape.at(-1) === columns;
  if (!inputs.every(({ info }) => isOfColumns(info))) return undefined;
  return {
    key: `${activation}/${inputs.map(({ name }) => name)}`,
    inputs,
    uniforms: uniforms(finish),
    declarations: floatFunctions(...(activations[activation].functions ?? [])) + declarations(finish),
    value: `activate(value${bias ? " + load_bias(column)" : ""}, ${slope ? "load_slope(column)" : "0.0"})`,
  };
}

/** In one pass over a product, which is disposed. */
export function finishProduct(backend: WebGPUBackend, product: TensorInfo, finish: Finish): TensorInfo {
  if (isNothing(finish)) return product;
  const { bias, activation, slope } = finish;
  const output = elementwise(backend, {
    name: "BiasAndActivation",
    key: activation,
    inputs: { product, ...(bias && { bias }), ...(slope && { slope }) },
    shape: product.shape,
    dtype: "float32",
    uniforms: uniforms(finish),
    functions: activations[activation].functions,
    declarations: declarations(finish),
    expression: `activate(product${bias ? " + bias" : ""}, ${slope ? "slope" : "0.0"})`,
  });
  backend.disposeAll(product);
  return output;
}
