import type { TensorInfo } from "@tensorflow/tfjs-core";
import { f32 } from "../backend/launch.js";
import type { WebGPUBackend } from "../backend/webgpu-backend.js";
import { elementwise } from "./elementwise.js";
import { tanhDeclaration } from "./unary.js";

/** tfjs's fused activations, in WGSL from `x`. */
const activations: Record<string, string> = {
  linear: "x",
  relu: "max(x, 0.0)",
  relu6: "clamp(x, 0.0, 6.0)",
  elu: "select(exp(x) - 1.0, x, x >= 0.0)",
  leakyrelu: "select(u.leak * x, x, x >= 0.0)",
  sigmoid: "1.0 / (1.0 + exp(-x))",
  tanh: "tanhOf(x)",
};

/** Bias and activation after a product, in one pass; `product` is disposed. */
export function finish(
  backend: WebGPUBackend,
  product: TensorInfo,
  bias: TensorInfo | undefined,
  activation: string | undefined,
  slope: TensorInfo | undefined,
  leak: number | undefined,
): TensorInfo {
  const name = activation ?? "linear";
  if (!bias && name === "linear") return product;
  const inputs: Record<string, TensorInfo> = { product };
  if (bias) inputs["bias"] = bias;
  if (name === "prelu") inputs["slope"] = slope!;
  const formula = name === "prelu" ? "" : activations[name];
  if (formula === undefined) {
    throw new Error(
      `fused activation: expected prelu or one of ${Object.keys(activations).join(", ")}, got "${name}"`,
    );
  }
  const sum = bias ? "product + bias" : "product";
  const output = elementwise(backend, {
    name: "BiasAndActivation",
    key: name,
    inputs,
    shape: product.shape,
    dtype: "float32",
    uniforms: [f32("leak", leak ?? 0.2)],
    declarations:
      name === "prelu" ? "" : `${tanhDeclaration}\nfn activate(x: f32) -> f32 { return ${formula}; }`,
    expression: name === "prelu" ? `select(slope * (${sum}), ${sum}, ${sum} >= 0.0)` : `activate(${sum})`,
  });
  backend.disposeAll(product);
  return output;
}
