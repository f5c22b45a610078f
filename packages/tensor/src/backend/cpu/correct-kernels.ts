import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { checkBoxImages } from "../box-images.js";
import { einsumOn } from "../einsum.js";
import { rewritten, rewrittenKernels } from "../rewritten-calls.js";
import { settledAttributes, settledKernels } from "../settled-attributes.js";
import { eachPair } from "./each-pair.js";
import { erf, floorMod } from "./float-functions.js";
import { longSums } from "./long-sums.js";
import { matMul } from "./mat-mul.js";
import { maxPool3dGradient } from "./max-pool-3d-gradient.js";
import { resizeGradient } from "./resize-gradient.js";
import { topK } from "./top-k.js";
import { wholeProducts } from "./whole-products.js";

/** The value of a reduction over no elements, where tfjs-backend-cpu reads past the end. */
const ofNothing: Record<string, (dtype: string) => number> = {
  All: () => 1,
  Any: () => 0,
  Max: (dtype) => (dtype === "int32" ? -(2 ** 31) : -Infinity),
  Min: (dtype) => (dtype === "int32" ? 2 ** 31 - 1 : dtype === "bool" ? 1 : Infinity),
  Mean: () => NaN,
};

/** Depth of a matrix product from which tfjs-backend-cpu, which adds sums of 48 products in float32, is replaced. */
const longProduct = 4096;

/** tfjs-backend-cpu's powers with 1 for 1 to any power, and for -1 to an infinite one, as IEEE 754 has it; JavaScript has NaN there. */
function power(theirs: KernelFunc, params: Parameters<KernelFunc>[0]): TensorInfo {
  const host = params.backend as MathBackendCPU;
  const { a, b } = params.inputs as Record<"a" | "b", TensorInfo>;
  const y = theirs(params) as TensorInfo;
  const valuesOf = ({ dataId }: TensorInfo) => host.data.get(dataId).values as tf.TypedArray;
  const [bases, exponents, powers] = [a, b, y].map(valuesOf);
  eachPair(y.shape, [a.shape, b.shape], (i, atA, atB) => {
    if (!Number.isNaN(powers[i])) return;
    const [base, exponent] = [bases[atA], exponents[atB]];
    if (base === 1 || (base === -1 && Math.abs(exponent) === Infinity)) powers[i] = 1;
  });
  return y;
}

/** A kernel in the place of another, which it may call. */
type Correction = (theirs: KernelFunc) => KernelFunc;

const corrected = new Set<KernelFunc>();

/** Replaces kernels of tfjs's backend "cpu" whose results are wrong; calling it again changes nothing. */
export function correctCpuKernels(): void {
  // A bundler drops the package where nothing is taken from it.
  if (!tf.findBackendFactory("cpu")) tf.registerBackend("cpu", () => new MathBackendCPU(), 1);
  const corrections = new Map<string, Correction[]>();
  const replace = (kernelName: string, by: Correction) =>
    corrections.set(kernelName, [...(corrections.get(kernelName) ?? []), by]);
  replace("Pow", (theirs) => (params) => power(theirs, params));
  replace("Einsum", () => einsumOn("cpu"));
  replace("TensorScatterUpdate", (theirs) => (params) => {
    // It writes into its argument.
    const host = params.backend as MathBackendCPU;
    const { tensor } = params.inputs as { tensor: TensorInfo };
    const values = host.data.get(tensor.dataId).values as tf.TypedArray;
    const copy = host.makeTensorInfo(tensor.shape, tensor.dtype, values.slice());
    const y = theirs({ ...params, inputs: { ...params.inputs, tensor: copy } });
    host.disposeIntermediateTensorInfo(copy);
    return y;
  });
  replace("CropAndResize", (theirs) => (params) => {
    // It takes a negative image for memory before the first, and leaves out one behind the last.
    const { image, boxInd } = params.inputs as Record<"image" | "boxInd", TensorInfo>;
    checkBoxImages(
      (params.backend as MathBackendCPU).data.get(boxInd.dataId).values as Int32Array,
      image.shape[0],
    );
    return theirs(params);
  });
  replace("MaxPool3DGrad", () => maxPool3dGradient);
  replace("ResizeBilinearGrad", () => resizeGradient(true));
  replace("ResizeNearestNeighborGrad", () => resizeGradient(false));
  for (const [kernelName, by] of Object.entries(longSums)) replace(kernelName, by);
  replace("Mod", () => floorMod);
  replace("Erf", () => erf);
  replace("TopK", () => topK);
  for (const [kernelName, exact] of Object.entries(wholeProducts)) {
    replace(kernelName, (theirs) => (params) => {
      const dtypes = Object.values(params.inputs as Record<string, TensorInfo>).map(({ dtype }) => dtype);
      const isWhole =
        dtypes.includes("int32") && dtypes.every((dtype) => dtype === "int32" || dtype === "bool");
      return isWhole ? exact(params) : theirs(params);
    });
  }
  replace("BatchMatMul", (theirs) => (params) => {
    const { a, b } = params.inputs as Record<"a" | "b", TensorInfo>;
    const depth = a.shape[a.shape.length - ((params.attrs as { transposeA?: boolean }).transposeA ? 2 : 1)];
    const isFloat = a.dtype === "float32" && b.dtype === "float32";
    // Of a batch of none it makes one product.
    const isEmpty = [a, b].some(({ shape }) => shape.slice(0, -2).includes(0));
    return !isFloat || depth > longProduct || isEmpty ? matMul(params) : theirs(params);
  });
  for (const [kernelName, value] of Object.entries(ofNothing)) {
    replace(kernelName, (theirs) => (params) => {
      const result = theirs(params) as TensorInfo;
      const { x } = params.inputs as { x: TensorInfo };
      if (tf.util.sizeFromShape(x.shape) > 0) return result;
      const data = (params.backend as MathBackendCPU).data.get(result.dataId);
      (data.values as tf.TypedArray).fill(value(result.dtype));
      return result;
    });
  }
  for (const kernelName of rewrittenKernels) {
    replace(kernelName, (theirs) => {
      const run = theirs as (params: Parameters<KernelFunc>[0]) => TensorInfo;
      return (params) => rewritten("cpu", kernelName, params, run) ?? run(params);
    });
  }
  for (const kernelName of settledKernels) {
    if (!tf.getKernel(kernelName, "cpu")) continue;
    replace(kernelName, (theirs) => ({ inputs, attrs, backend }) => {
      const settled = settledAttributes(kernelName, inputs as Record<string, TensorInfo>, attrs ?? {});
      return theirs({ inputs, attrs: settled, backend });
    });
  }
  for (const [kernelName, list] of corrections) {
    const config = tf.getKernel(kernelName, "cpu");
    if (corrected.has(config.kernelFunc)) continue;
    const kernelFunc = list.reduce((theirs, by) => by(theirs), config.kernelFunc);
    corrected.add(kernelFunc);
    tf.unregisterKernel(kernelName, "cpu");
    tf.registerKernel({ ...config, kernelFunc });
  }
}
