import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Attrs } from "./kernel.js";
import type { WasmBackend } from "./simd-kernels.js";

type Listed = TensorInfo | TensorInfo[] | undefined;

/**
 * Runs tfjs-backend-cpu's kernel of that name on the values of tensors of WebAssembly: right everywhere, but slow. For what
 * tfjs-backend-wasm lacks or gets wrong and models do not spend their time in.
 */
export function runOnHost(
  kernelName: string,
  { inputs, attrs }: { inputs: object; attrs: Attrs },
  backend: WasmBackend,
): TensorInfo | TensorInfo[] {
  // A backend for one kernel; with it go its intermediate tensors.
  const host = new MathBackendCPU();
  // Else it greets users of Node with advice on another package at the first result.
  (host as unknown as { firstUse: boolean }).firstUse = false;
  const lend = (x: TensorInfo): TensorInfo & { rank: number } => {
    const dataId = {};
    host.move(dataId, backend.readSync(x.dataId) as never, x.shape, x.dtype, 1);
    // Both gradients of dilation read the rank.
    return { dataId, shape: x.shape, dtype: x.dtype, rank: x.shape.length };
  };
  const lendAll = (x: Listed) => (Array.isArray(x) ? x.map(lend) : x && lend(x));
  const lent = Array.isArray(inputs)
    ? inputs.map(lendAll)
    : Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, lendAll(x)]));
  const result = tf
    .getKernel(kernelName, "cpu")
    .kernelFunc({ inputs: lent as tf.NamedTensorInfoMap, attrs, backend: host });
  const back = ({ dataId, shape, dtype }: TensorInfo): TensorInfo => {
    const y = backend.makeOutput(shape, dtype);
    const values = host.readSync(dataId);
    if (dtype === "string") return { ...y, dataId: backend.write(values, shape, dtype) };
    backend.typedArrayFromHeap(y).set(values as tf.TypedArray);
    return y;
  };
  return Array.isArray(result) ? result.map(back) : back(result);
}
