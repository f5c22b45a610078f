import { getKernel, registerKernel } from "@tensorflow/tfjs-core";
import { backendName } from "../backend/backend-name.js";
import { activationKernels } from "./activation.js";
import { adamWKernels } from "./adamw.js";
import { attentionKernels } from "./attention.js";
import { batchNormKernels } from "./batch-norm.js";
import { binaryKernels } from "./binary.js";
import { conv2dKernels } from "./conv2d.js";
import { conv3dKernels } from "./conv3d.js";
import { depthwiseConv2dKernels } from "./depthwise-conv2d.js";
import { dilation2dKernels } from "./dilation2d.js";
import { einsumKernels } from "./einsum.js";
import { fillKernels } from "./fill.js";
import { groupNormKernels } from "./group-norm.js";
import { indexingKernels } from "./indexing.js";
import type { Call, KernelTable } from "./kernel.js";
import { layerNormKernels } from "./layer-norm.js";
import { lrnKernels } from "./lrn.js";
import { matmulKernels } from "./matmul.js";
import { moveKernels } from "./moves.js";
import { poolKernels } from "./pool.js";
import { rearrangeKernels } from "./rearrange.js";
import { reduceKernels } from "./reduce.js";
import { resizeKernels } from "./resize.js";
import { shapeKernels } from "./shape.js";
import { softmaxKernels } from "./softmax.js";
import { unaryKernels } from "./unary.js";
import { warpKernels } from "./warp.js";

/** Every kernel of the WebGPU backend. */
export const kernels: KernelTable = {
  ...shapeKernels,
  ...fillKernels,
  ...moveKernels,
  ...unaryKernels,
  ...binaryKernels,
  ...reduceKernels,
  ...indexingKernels,
  ...matmulKernels,
  ...conv2dKernels,
  ...conv3dKernels,
  ...depthwiseConv2dKernels,
  ...poolKernels,
  ...dilation2dKernels,
  ...softmaxKernels,
  ...einsumKernels,
  ...activationKernels,
  ...batchNormKernels,
  ...layerNormKernels,
  ...groupNormKernels,
  ...attentionKernels,
  ...adamWKernels,
  ...resizeKernels,
  ...warpKernels,
  ...rearrangeKernels,
  ...lrnKernels,
};

/** Registers each kernel once, whatever device the backend then runs on. */
export function registerKernels(): void {
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    if (getKernel(kernelName, backendName)) continue;
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: (params) => {
        const call = params as unknown as Call;
        return call.backend.within(kernelName, call.inputs, () => kernel(call));
      },
    });
  }
}
