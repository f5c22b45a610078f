import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { elementwise } from "./elementwise.js";
import type { Kernel, KernelTable } from "./kernel.js";

const identity: Kernel = ({ inputs: { x }, backend }) => backend.alias(x, x.shape);

const reshape: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const size = tf.util.sizeFromShape(x.shape);
  const shape = tf.util.inferFromImplicitShape(attrs.shape, size);
  if (tf.util.sizeFromShape(shape) !== size) {
    throw new Error(`Reshape: new shape [${shape}] must have as many elements as the old [${x.shape}]`);
  }
  return backend.alias(x, shape);
};

const expandDims: Kernel = ({ inputs: { input }, attrs, backend }) => {
  const rank = input.shape.length;
  const { dim } = attrs;
  if (!(dim >= -(rank + 1) && dim <= rank)) {
    throw new Error(
      `ExpandDims: dim must be in [${-(rank + 1)}, ${rank}] for shape [${input.shape}], got ${dim}`,
    );
  }
  const shape = [...input.shape];
  shape.splice(dim < 0 ? rank + dim + 1 : dim, 0, 1);
  return backend.alias(input, shape);
};

/** Conversion between dtypes; float32 to int32 as JavaScript's ToInt32, which truncates, and makes 0 of NaN and infinities. */
export function cast(backend: WebGPUBackend, x: TensorInfo, dtype: DataType): TensorInfo {
  if (x.dtype === dtype) return backend.alias(x, x.shape);
  if (dtype !== "float32" && dtype !== "int32" && dtype !== "bool") {
    throw new Error(`Cast: dcr-webgpu knows no conversion from ${x.dtype} to ${dtype}`);
  }
  // NaN is true; some adapters compare it as equal to 0.
  const truth = x.dtype === "float32" ? "x != 0.0 || isNan(x)" : "x != 0";
  const whole = x.dtype === "float32" ? "toInt32(x)" : "i32(x)";
  const expression = { float32: "f32(x)", int32: whole, bool: `select(0, 1, ${truth})` }[dtype];
  const functions = ["toInt32"] as const;
  return elementwise(backend, {
    name: "Cast",
    key: dtype,
    inputs: { x },
    shape: x.shape,
    dtype,
    functions,
    expression,
  });
}

const castKernel: Kernel = ({ inputs: { x }, attrs, backend }) => cast(backend, x, attrs.dtype);

export const shapeKernels: KernelTable = {
  Identity: identity,
  Reshape: reshape,
  ExpandDims: expandDims,
  Cast: castKernel,
};
