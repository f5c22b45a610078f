import type { TensorInfo } from "@tensorflow/tfjs-core";
import { f32 } from "../backend/launch.js";
import { elementwise } from "./elementwise.js";
import type { Kernel, KernelTable } from "./kernel.js";

/** Normalization by given moments, for inference. */
const batchNorm: Kernel = ({ inputs: { x, mean, variance, offset, scale }, attrs, backend }) => {
  const inputs: Record<string, TensorInfo> = { x, mean, variance };
  if (scale) inputs["scale"] = scale;
  if (offset) inputs["offset"] = offset;
  for (const [name, { shape }] of Object.entries(inputs)) {
    if (name !== "x" && shape.length !== mean.shape.length) {
      throw new Error(`FusedBatchNorm: mean [${mean.shape}] and ${name} [${shape}] must have equal ranks`);
    }
  }
  return elementwise(backend, {
    name: "FusedBatchNorm",
    key: `${Boolean(scale)}${Boolean(offset)}`,
    inputs,
    shape: x.shape,
    dtype: "float32",
    uniforms: [f32("epsilon", attrs.varianceEpsilon ?? 0.001)],
    expression: `(x - mean) / sqrt(variance + u.epsilon)${scale ? " * scale" : ""}${offset ? " + offset" : ""}`,
  });
};

export const batchNormKernels: KernelTable = { FusedBatchNorm: batchNorm };
