import type { DataType } from "@tensorflow/tfjs-core";
import { getKernel, registerKernel } from "@tensorflow/tfjs-core";
import { settledAttributes } from "../../settled-attributes.js";
import { backendName } from "../backend-name.js";
import { activationKernels } from "./activation.js";
import { adamWKernels } from "./adamw.js";
import { attentionKernels } from "./attention.js";
import { batchNormKernels } from "./batch-norm.js";
import { binaryKernels } from "./binary.js";
import { complexFromReal, complexKernels } from "./complex.js";
import { conv2dKernels } from "./conv2d.js";
import { conv3dKernels } from "./conv3d.js";
import { countingKernels } from "./counting.js";
import { depthwiseConv2dKernels } from "./depthwise-conv2d.js";
import { dilation2dKernels } from "./dilation2d.js";
import { dropoutKernels } from "./dropout.js";
import { einsumKernels } from "./einsum.js";
import { fillKernels } from "./fill.js";
import { groupNormKernels } from "./group-norm.js";
import { hostKernels, stringKernels } from "./host.js";
import { indexingKernels } from "./indexing.js";
import type { Call, Kernel, KernelTable } from "./kernel.js";
import { layerNormKernels } from "./layer-norm.js";
import { lrnKernels } from "./lrn.js";
import { matmulKernels } from "./matmul.js";
import { moveKernels } from "./moves.js";
import { poolKernels } from "./pool.js";
import { rearrangeKernels } from "./rearrange.js";
import { reduceKernels } from "./reduce.js";
import { resizeKernels } from "./resize.js";
import { scatterKernels } from "./scatter.js";
import { shapeKernels } from "./shape.js";
import { softmaxKernels } from "./softmax.js";
import { storeAsKernels } from "./store-as.js";
import { unaryKernels } from "./unary.js";
import { warpKernels } from "./warp.js";

/** Kernels of float32, int32 and bool tensors. */
const realKernels: KernelTable = {
  ...shapeKernels,
  ...fillKernels,
  ...moveKernels,
  ...unaryKernels,
  ...binaryKernels,
  ...reduceKernels,
  ...indexingKernels,
  ...scatterKernels,
  ...countingKernels,
  ...matmulKernels,
  ...conv2dKernels,
  ...conv3dKernels,
  ...depthwiseConv2dKernels,
  ...poolKernels,
  ...dilation2dKernels,
  ...softmaxKernels,
  ...einsumKernels,
  ...activationKernels,
  ...dropoutKernels,
  ...batchNormKernels,
  ...layerNormKernels,
  ...groupNormKernels,
  ...attentionKernels,
  ...adamWKernels,
  ...resizeKernels,
  ...warpKernels,
  ...rearrangeKernels,
  ...lrnKernels,
  ...storeAsKernels,
  ...hostKernels,
  ...complexFromReal,
};

/** Every kernel of the WebGPU backend, by what its inputs hold. */
const kernels: Record<"complex64" | "string" | "real", KernelTable> = {
  complex64: complexKernels(realKernels),
  // Under another shape, any tensor is what it was.
  string: { ...stringKernels, ...shapeKernels },
  real: realKernels,
};

/** Chooses by the inputs' dtypes. */
const kernel =
  (name: string): Kernel =>
  (call) => {
    const has = (dtype: DataType) => Object.values(call.inputs).some((input) => input?.dtype === dtype);
    const kind =
      has("complex64") || call.attrs?.["dtype"] === "complex64"
        ? "complex64"
        : has("string")
          ? "string"
          : "real";
    const found = kernels[kind][name];
    if (!found) throw new Error(`${name}: dcr-webgpu does not compute it of ${kind} tensors`);
    return found({ ...call, attrs: settledAttributes(name, call.inputs, call.attrs ?? {}) });
  };

/** Registers each kernel once, whatever device the backend then runs on. */
export function registerKernels(): void {
  const names = Object.values(kernels).flatMap((table) => Object.keys(table));
  for (const kernelName of new Set(names)) {
    if (getKernel(kernelName, backendName)) continue;
    const run = kernel(kernelName);
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: (params) => {
        const call = params as unknown as Call;
        return call.backend.within(kernelName, call.inputs, () => run(call));
      },
    });
  }
}
