import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { f32, u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { elementwise } from "./elementwise.js";
import { type FloatFunction, floatFunctions } from "./float-functions.js";
import type { Gemm } from "./gemm.js";
import type { Attributes } from "./kernel.js";

/** A product applies this to its sums as it writes them. */
export type Epilogue = Partial<Pick<Gemm, "key" | "inputs" | "uniforms" | "declarations" | "value">>;

/**
 * Adds tensors to a product of `rows` by `columns`. A tensor with fewer rows, such as a bias with one row, repeats each of its rows for as
 * many neighbouring rows of the product.
 */
export function sumEpilogue(
  addends: (TensorInfo | undefined)[],
  { rows, columns }: { rows: number; columns: number },
): Epilogue {
  const present = addends.filter((info) => info !== undefined);
  const repeats = present.map(({ shape }) => (rows * columns) / Math.max(1, tf.util.sizeFromShape(shape)));
  const offsets = repeats.map((repeat, i) => {
    if (repeat === rows) return "column";
    return `${repeat === 1 ? "row" : `row / u.repeat${i}`} * u.n + column`;
  });
  return {
    key: offsets.join(),
    inputs: present.map((info, i) => ({ name: `addend${i}`, info })),
    uniforms: repeats.map((repeat, i) => u32(`repeat${i}`, repeat)),
    value: ["value", ...offsets.map((offset, i) => `load_addend${i}(${offset})`)].join(" + "),
  };
}

/** The bias and the activation of tfjs's fused products. */
export interface FusedActivation {
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
export function fusedActivationOf(inputs: Record<string, TensorInfo>, attrs: Attributes): FusedActivation {
  const { activation = "linear", leakyreluAlpha = 0.2 } = attrs;
  if (!(activation in activations)) {
    throw new Error(
      `fused activation: expected one of ${Object.keys(activations).join(", ")}, got "${activation}"`,
    );
  }
  const slope = activation === "prelu" ? inputs.preluActivationWeights : undefined;
  return { bias: inputs.bias, activation, slope, leak: leakyreluAlpha };
}

const isNothing = ({ bias, activation }: FusedActivation) => !bias && activation === "linear";

const uniforms = ({ leak }: FusedActivation) => [f32("leak", leak)];

const declarations = ({ activation }: FusedActivation) => `
fn activate(x: f32, slope: f32) -> f32 { return ${activations[activation].value}; }`;

/** As the product of `columns` columns is written, where bias and slopes have a value for each column; undefined elsewhere. */
export function activationEpilogue(fused: FusedActivation, columns: number): Epilogue | undefined {
  if (isNothing(fused)) return {};
  const { bias, activation, slope } = fused;
  const inputs = Object.entries({ bias, slope }).flatMap(([name, info]) => (info ? [{ name, info }] : []));
  const isOfColumns = ({ shape, dtype }: TensorInfo) =>
    dtype === "float32" && tf.util.sizeFromShape(shape) === columns && shape.at(-1) === columns;
  if (!inputs.every(({ info }) => isOfColumns(info))) return undefined;
  return {
    key: `${activation}/${inputs.map(({ name }) => name)}`,
    inputs,
    uniforms: uniforms(fused),
    declarations: floatFunctions(...(activations[activation].functions ?? [])) + declarations(fused),
    value: `activate(value${bias ? " + load_bias(column)" : ""}, ${slope ? "load_slope(column)" : "0.0"})`,
  };
}

/** In one pass over a product, which is disposed. */
export function applyFusedActivation(
  backend: WebGPUBackend,
  product: TensorInfo,
  fused: FusedActivation,
): TensorInfo {
  if (isNothing(fused)) return product;
  const { bias, activation, slope } = fused;
  const output = elementwise(backend, {
    name: "BiasAndActivation",
    key: activation,
    inputs: { product, ...(bias && { bias }), ...(slope && { slope }) },
    shape: product.shape,
    dtype: "float32",
    uniforms: uniforms(fused),
    functions: activations[activation].functions,
    declarations: declarations(fused),
    expression: `activate(product${bias ? " + bias" : ""}, ${slope ? "slope" : "0.0"})`,
  });
  backend.disposeAll(product);
  return output;
}
