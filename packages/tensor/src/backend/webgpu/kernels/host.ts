import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { DataId, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Call, Kernel, KernelTable } from "./kernel.js";

/** tfjs-backend-cpu's class; its module registers the kernels that run on it. */
let Host: typeof MathBackendCPU | undefined;

/** Loads tfjs-backend-cpu, whose kernels `onHost` runs. */
export async function loadHostKernels(): Promise<void> {
  Host ??= (await import("@tensorflow/tfjs-backend-cpu")).MathBackendCPU;
}

/** A cpu backend for one kernel; with it go its intermediate tensors. */
function newHost(): MathBackendCPU {
  const host = new Host!();
  // Else it greets users of Node with advice on another package at the first result.
  (host as unknown as { firstUse: boolean }).firstUse = false;
  return host;
}

/** Applies `f` to each tensor; ops pass a record, a list, or a record with lists in it, and leave out what is optional. */
function mapInputs(inputs: object, f: (x: TensorInfo, name: string) => TensorInfo): object {
  const one = (x: TensorInfo | TensorInfo[] | undefined, name: string) =>
    Array.isArray(x) ? x.map((part, i) => f(part, `${name}[${i}]`)) : x && f(x, name);
  if (Array.isArray(inputs)) return inputs.map((x, i) => one(x, `input ${i}`));
  return Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, one(x, name)]));
}

/**
 * tfjs-backend-cpu's kernel of that name, on inputs that lie on the host: for strings, and for algorithms whose output's shape
 * depends on the values.
 */
const onHost =
  (kernelName: string): Kernel =>
  ({ inputs, attrs, backend }) => {
    const host = newHost();
    const lend = (x: TensorInfo, name: string): TensorInfo => {
      const values = backend.hostValues(x.dataId);
      if (!values && tf.util.sizeFromShape(x.shape) > 0) {
        throw new Error(
          `${kernelName}: dcr-webgpu runs it on the host, and the values of ${name} [${x.shape}] are on the device, where WebGPU ` +
            `cannot read them at once; pass tf.tensor(await ${name}.data(), [${x.shape}], "${x.dtype}")`,
        );
      }
      const dataId: DataId = {};
      const own = values ?? tf.util.getArrayFromDType(x.dtype as "float32", 0);
      host.move(dataId, own as never, x.shape, x.dtype, 1);
      return { dataId, shape: x.shape, dtype: x.dtype };
    };
    const run = tf.getKernel(kernelName, "cpu").kernelFunc;
    const result = run({ inputs: mapInputs(inputs, lend) as Call["inputs"], attrs, backend: host });
    const back = ({ dataId, shape, dtype }: TensorInfo) =>
      backend.fromHost(host.readSync(dataId), shape, dtype);
    return Array.isArray(result) ? result.map(back) : back(result);
  };

const table = (names: readonly string[]): KernelTable =>
  Object.fromEntries(names.map((name) => [name, onHost(name)]));

/** Algorithms of the host by nature. */
export const hostKernels = table([
  ...["StringNGrams", "StringSplit", "StringToHashBucketFast", "StaticRegexReplace"],
  ...["RaggedGather", "RaggedRange", "RaggedTensorToTensor"],
  ...["SparseFillEmptyRows", "SparseReshape", "SparseSegmentMean", "SparseSegmentSum"],
  ...["Unique", "NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5", "BroadcastArgs"],
]);

/** Kernels that take strings as well as numbers, as far as tfjs's ops let them pass. */
export const stringKernels = table([
  ...["Slice", "StridedSlice", "Concat", "Pack", "Unpack", "Tile", "GatherNd", "SparseToDense"],
  ...["Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"],
  ...Object.keys(hostKernels),
]);
