import type { KernelConfig, KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { compositeOf } from "../../ops/fused-kernel.js";
import { elementwiseKernels } from "./elementwise-kernels.js";
import { runOnHost } from "./host.js";
import type { Attrs, Inputs, Kernel } from "./kernel.js";
import { loadSimdKernels } from "./load-kernels.js";
import { guardMemory, runNamed } from "./memory.js";
import { normKernels } from "./norm-kernels.js";
import { productKernels } from "./product-kernels.js";
import { reductionKernels } from "./reduction-kernels.js";
import { unsortedSegmentSum } from "./segment-sum.js";
import { address, wasmBackend } from "./simd-kernels.js";
import { splitOn } from "./split.js";
import { windowKernels } from "./window-kernels.js";

const size = tf.util.sizeFromShape;

/** Kernels of ours; they take non-empty float32 tensors alone. */
const simdKernels: Record<string, Kernel> = {
  ...elementwiseKernels,
  ...normKernels,
  ...productKernels,
  ...reductionKernels,
  ...windowKernels,
};

/**
 * Kernels of tfjs-backend-wasm whose numbers are wrong: sine and cosine of large numbers, log1p near 0, sign below 1e-19, the
 * dtype of floorDiv, the remainder of large divisors, steps between far ends.
 */
const wrong = new Set(["Cos", "FloorDiv", "LinSpace", "Log1p", "Mod", "Sign", "Sin", "Tan"]);

/** Kernels of tfjs-backend-wasm that read the bits of int32 for a float, take int32 for smaller than it is, or refuse it. */
const wrongForIntegers = new Set([
  ...[
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "BatchMatMul",
    "ClipByValue",
    "Cosh",
    "Elu",
    "Exp",
    "Expm1",
  ],
  ...[
    "IsFinite",
    "IsInf",
    "IsNan",
    "LeakyRelu",
    "Log",
    "Maximum",
    "Mean",
    "Minimum",
    "Multiply",
    "Neg",
    "Pow",
  ],
  ...[
    "RealDiv",
    "Reciprocal",
    "Relu",
    "Relu6",
    "Rsqrt",
    "Selu",
    "Sigmoid",
    "Sinh",
    "Softplus",
    "Sqrt",
    "Square",
  ],
  ...["SquaredDifference", "Step", "Sum", "Tanh"],
]);

/** Kernels of tfjs-backend-wasm that make an infinity of NaN. */
const wrongForNaN = new Set(["AvgPool", "AvgPool3D", "MaxPool"]);

/** Fused kernels of tfjs-backend-wasm that make 0 of NaN in these activations, and the kernel that does not. */
const fused = new Set(["_FusedMatMul", "FusedConv2D", "FusedDepthwiseConv2D"]);
const activations: Record<string, string> = { relu: "Relu", relu6: "Relu6" };

/** Kernels that tfjs-backend-cpu has for strings and complex numbers, which this backend does not hold. */
const hostOnly = /Complex|FFT|Imag|Real$|String|Ragged|Sparse|Unique/;

const originals = new Map<string, KernelConfig | undefined>();

/** tfjs-backend-wasm's own kernel, whatever is registered by now. */
function original(kernelName: string): KernelConfig | undefined {
  if (!originals.has(kernelName)) originals.set(kernelName, tf.getKernel(kernelName, "wasm"));
  return originals.get(kernelName);
}

const tensorsOf = (inputs: object) => Object.values(inputs).flat().filter(Boolean) as TensorInfo[];
const bytesOf = (inputs: object) =>
  tensorsOf(inputs).reduce((sum, { shape, dtype }) => sum + size(shape) * (dtype === "bool" ? 1 : 4), 0);

/** Registers our kernels for the backend "wasm", over tfjs's where both exist; returns how many threads run them. */
export async function registerWasmKernels(threadCount: number): Promise<number> {
  const backend = wasmBackend();
  guardMemory(backend);
  const loaded = await loadSimdKernels(backend, threadCount);
  const { kernels, threads } = loaded;
  const split = splitOn(backend, loaded);
  const at = (info: TensorInfo) => address(backend, info);
  const output = (shape: number[]) => backend.makeOutput(shape, "float32");
  const hasNaN = (x: TensorInfo) => x.dtype === "float32" && kernels.hasNaN(size(x.shape), at(x)) !== 0;

  /** The function that runs a kernel: ours, tfjs-backend-wasm's, or that of another for inputs that both get wrong. */
  const chooser = (kernelName: string): KernelFunc => {
    const theirs = original(kernelName)?.kernelFunc;
    const ours = simdKernels[kernelName];
    const composite = compositeOf(kernelName);
    const hasHost = !composite && tf.getKernel(kernelName, "cpu") !== undefined;
    const [always, forIntegers, forNaN] = [wrong, wrongForIntegers, wrongForNaN].map((set) =>
      set.has(kernelName),
    );
    return (params) => {
      const { inputs } = params;
      const attrs = params.attrs as Attrs;
      const tensors = tensorsOf(inputs);
      // Given no elements, tfjs-backend-wasm hands out memory as it finds it.
      const isEmpty = tensors.some(({ shape }) => size(shape) === 0);
      if (isEmpty && composite) return composite(inputs as tf.NamedTensorMap, attrs) as TensorInfo;
      const isWrong =
        isEmpty ||
        always ||
        (forIntegers && tensors.some(({ dtype }) => dtype === "int32")) ||
        (forNaN && tensors.some(hasNaN)) ||
        (kernelName === "Cast" && attrs.dtype === "bool") ||
        // It writes int32 whatever it is asked for, beyond the end of a bool tensor.
        (kernelName === "OneHot" && attrs.dtype !== "int32") ||
        // Its segment ids are always integers; ours is for sums of floats.
        (kernelName === "UnsortedSegmentSum" && (inputs as Inputs).x.dtype !== "float32");
      if (hasHost && (isWrong || (!theirs && !ours)))
        return runOnHost(kernelName, { inputs, attrs }, backend);
      if (ours && (!theirs || tensors.every(({ dtype }) => dtype === "float32"))) {
        return ours({ inputs: inputs as Inputs, attrs, backend, kernels, split, at, output });
      }
      const activation = fused.has(kernelName) && activations[attrs.activation];
      if (!activation) return theirs!(params);
      const x = theirs!({ ...params, attrs: { ...attrs, activation: "linear" } }) as TensorInfo;
      const y = tf.getKernel(activation, "wasm").kernelFunc({ inputs: { x }, attrs: {}, backend });
      backend.disposeData(x.dataId);
      return y;
    };
  };

  const theirNames = tf.getKernelsForBackend("wasm").map(({ kernelName }) => kernelName);
  const hostNames = tf
    .getKernelsForBackend("cpu")
    .map(({ kernelName }) => kernelName)
    .filter((kernelName) => !hostOnly.test(kernelName) && !compositeOf(kernelName));
  simdKernels.UnsortedSegmentSum = unsortedSegmentSum;
  for (const kernelName of new Set([...theirNames, ...Object.keys(simdKernels), ...hostNames])) {
    const theirs = original(kernelName);
    // Ours, if this is not the first time.
    if (tf.getKernel(kernelName, "wasm")) tf.unregisterKernel(kernelName, "wasm");
    const run = chooser(kernelName);
    tf.registerKernel({
      kernelName,
      backendName: "wasm",
      setupFunc: theirs?.setupFunc,
      kernelFunc: (params) =>
        runNamed(
          backend,
          kernelName,
          () => bytesOf(params.inputs),
          () => run(params),
        ),
    });
  }
  return threads?.count ?? 1;
}
