import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { f32, i32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { elementType, type Kernel, type KernelTable } from "./kernel.js";

/** One value everywhere. */
export function fill(
  backend: WebGPUBackend,
  shape: number[],
  { dtype, value }: { dtype: DataType; value: number },
): TensorInfo {
  const size = tf.util.sizeFromShape(shape);
  // A few elements stay on the host, where kernels take a scalar as a uniform.
  if (size === 1)
    return backend.fromHost(tf.util.getArrayFromDType(dtype as "float32", 1).fill(value), shape, dtype);
  const output = backend.output(shape, dtype);
  const type = elementType(dtype);
  backend.launch({
    name: "Fill",
    key: "",
    inputs: [],
    outputs: [{ name: "result", info: output, type: `vec4<${type}>` }],
    count: Math.ceil(size / 4),
    split: true,
    uniforms: [dtype === "float32" ? f32("value", value) : i32("value", value)],
    body: () => `store_result(index, vec4<${type}>(u.value));`,
  });
  return output;
}

const fillKernel: Kernel = ({ attrs, backend }) => {
  const { shape, value } = attrs;
  const dtype = attrs.dtype ?? tf.util.inferDtype(value);
  if (dtype === "string") {
    const values = new Array(tf.util.sizeFromShape(shape)).fill(tf.util.encodeString(value));
    return backend.fromHost(values, shape, dtype);
  }
  return fill(backend, shape, { dtype, value: Number(value) });
};

const like =
  (value: number): Kernel =>
  ({ inputs: { x }, backend }) =>
    fill(backend, x.shape, { dtype: x.dtype, value });

const range: Kernel = ({ attrs, backend }) => {
  const { start, stop, dtype } = attrs;
  // tfjs turns a step that was not given towards `stop`.
  const step = stop < start && attrs.step === 1 ? -1 : attrs.step;
  const count = start === stop ? 0 : Math.max(0, Math.ceil((stop - start) / step));
  const values = tf.util.getArrayFromDType(dtype as "float32", count);
  for (let i = 0; i < count; i++) values[i] = start + i * step;
  return backend.fromHost(values, [count], dtype);
};

const linSpace: Kernel = ({ attrs, backend }) => {
  const { start, stop, num } = attrs;
  const step = num > 1 ? (stop - start) / (num - 1) : 0;
  return backend.fromHost(
    Float32Array.from({ length: num }, (_, i) => start + i * step),
    [num],
    "float32",
  );
};

export const fillKernels: KernelTable = {
  Fill: fillKernel,
  OnesLike: like(1),
  ZerosLike: like(0),
  Range: range,
  LinSpace: linSpace,
};
