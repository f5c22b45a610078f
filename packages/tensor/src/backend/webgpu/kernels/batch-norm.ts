import type { TensorInfo } from "@tensorflow/tfjs-core";
import { f32 } from "../launch.js";
import { elementwise } from "./elementwise.js";
import type { Kernel, KernelTable } from "./kernel.js";

/** (x - mean) / sqrt(variance + epsilon) * scale + offset, by statistics that are given; they broadcast to `x`. */
const batchNorm: Kernel = ({ inputs: { x, mean, variance, scale, offset }, attrs, backend }) => {
  const inputs: Record<string, TensorInfo> = { x, mean, variance };
  if (scale) inputs["scale"] = scale;
  if (offset) inputs["offset"] = offset;
  const normal = "(x - mean) / sqrt(variance + u.epsilon)";
  return elementwise(backend, {
    name: "FusedBatchNorm",
    key: Object.keys(inputs).join(),
    inputs,
    shape: x.shape,
    dtype: "float32",
    uniforms: [f32("epsilon", attrs.varianceEpsilon)],
    expression: `${normal}${scale ? " * scale" : ""}${offset ? " + offset" : ""}`,
  });
};

export const batchNormKernels: KernelTable = {
  FusedBatchNorm: batchNorm,
};
