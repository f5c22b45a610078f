import type { KernelConfig, KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { compositeOf } from "../../ops/fused-kernel.js";
import { einsumOn } from "../einsum.js";
import { rewritten } from "../rewritten-calls.js";
import { settledAttributes } from "../settled-attributes.js";
import { channelsLast, isChannelsFirst } from "./channels-last.js";
import { elementwiseKernels } from "./elementwise-kernels.js";
import { exactConv2d } from "./exact-convolution.js";
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
import { convolutions, wrongFor } from "./wrong-kernels.js";

const size = tf.util.sizeFromShape;

/** Kernels of ours; they take non-empty float32 tensors only. */
const simdKernels: Record<string, Kernel> = {
  ...elementwiseKernels,
  ...normKernels,
  ...productKernels,
  ...reductionKernels,
  ...windowKernels,
};

/** Fused kernels whose activations are run apart: in tfjs-backend-wasm they make 0 of NaN, or NaN of infinity. */
const fused = new Set(["_FusedMatMul", "FusedConv2D", "FusedDepthwiseConv2D"]);
const activations: Record<string, string> = {
  relu: "Relu",
  relu6: "Relu6",
  prelu: "Prelu",
  elu: "Elu",
  sigmoid: "Sigmoid",
  leakyrelu: "LeakyRelu",
};

/** Kernels of tfjs-backend-cpu for strings and complex numbers, which this backend does not hold. */
const notHeldHere = /Complex|FFT|Imag|Real$|String|Ragged|Sparse|Unique/;

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
  const hasNonFinite = (x: TensorInfo) =>
    x.dtype === "float32" && kernels.hasNonFinite(size(x.shape), at(x)) !== 0;

  /** The function that runs a kernel: ours, tfjs-backend-wasm's, or that of another for inputs that both get wrong. */
  const chooser = (kernelName: string): KernelFunc => {
    const theirs = original(kernelName)?.kernelFunc;
    const ours = simdKernels[kernelName];
    const composite = compositeOf(kernelName);
    const hasHost = !composite && tf.getKernel(kernelName, "cpu") !== undefined;
    const isWrong = wrongFor(kernelName, hasNonFinite);
    const run: KernelFunc = ({ inputs, attrs: given }) => {
      const attrs = settledAttributes(kernelName, inputs as Inputs, (given ?? {}) as Attrs);
      if (isChannelsFirst(kernelName, attrs)) {
        const call = { inputs: inputs as Inputs, attrs, backend };
        return channelsLast(kernelName, call, (turned) => run({ ...turned, backend }) as TensorInfo);
      }
      const again = (call: Parameters<KernelFunc>[0]) => run(call) as TensorInfo;
      const rewriting = rewritten("wasm", kernelName, { inputs, attrs, backend }, again);
      if (rewriting) return rewriting;
      const tensors = tensorsOf(inputs);
      if (composite && tensors.some(({ shape }) => size(shape) === 0)) {
        return composite(inputs as tf.NamedTensorMap, attrs) as TensorInfo;
      }
      const params = { inputs, attrs, backend };
      if (hasHost && ((!theirs && !ours) || isWrong({ inputs: inputs as Inputs, attrs, backend }, tensors))) {
        return runOnHost(kernelName, { inputs, attrs }, backend);
      }
      if (ours && (!theirs || tensors.every(({ dtype }) => dtype === "float32"))) {
        return ours({ inputs: inputs as Inputs, attrs, backend, kernels, split, at, output });
      }
      const activation = fused.has(kernelName) && activations[attrs.activation];
      const { preluActivationWeights: alpha, ...operands } = inputs as Inputs;
      const plain = {
        inputs: operands,
        attrs: fused.has(kernelName) ? { ...attrs, activation: "linear" } : attrs,
        backend,
      };
      let x = theirs!(activation ? plain : params) as TensorInfo;
      if (convolutions.has(kernelName) && hasNonFinite(x)) x = unclamped(kernelName, plain, x);
      if (!activation) return x;
      const own = { alpha: attrs.leakyreluAlpha };
      const y = tf.getKernel(activation, "wasm").kernelFunc({ inputs: { x, alpha }, attrs: own, backend });
      backend.disposeData(x.dataId);
      return y;
    };
    return run;
  };

  /** A convolution's results, of which some are not finite, without the infinities that NaN was clamped to. */
  const unclamped = (
    kernelName: string,
    { inputs, attrs }: { inputs: Inputs; attrs: Attrs },
    y: TensorInfo,
  ): TensorInfo => {
    if (!/Depthwise/.test(kernelName)) {
      exactConv2d({ backend, inputs, attrs, output: y, hasFiniteWeights: !hasNonFinite(inputs.filter) });
      return y;
    }
    backend.disposeData(y.dataId);
    return runOnHost(kernelName, { inputs, attrs }, backend) as TensorInfo;
  };

  const theirNames = tf.getKernelsForBackend("wasm").map(({ kernelName }) => kernelName);
  const hostNames = tf
    .getKernelsForBackend("cpu")
    .map(({ kernelName }) => kernelName)
    .filter((kernelName) => !notHeldHere.test(kernelName) && !compositeOf(kernelName));
  simdKernels.UnsortedSegmentSum = unsortedSegmentSum;
  simdKernels.Einsum = (call) => einsumOn("wasm")(call) as TensorInfo;
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
