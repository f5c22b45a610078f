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
import { convolutions, type Given, wrongFor } from "./wrong-kernels.js";

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

/** A way to run a kernel: its result, or nothing where it is not for the call. */
type Way = (call: Given, tensors: TensorInfo[]) => TensorInfo | TensorInfo[] | null | undefined | false;

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

  /** The function that runs a kernel: the first way to run it that is for the call. */
  const chooser = (kernelName: string): KernelFunc => {
    const theirs = original(kernelName)?.kernelFunc;
    const ours = simdKernels[kernelName];
    const composite = compositeOf(kernelName);
    const hasHost = !composite && tf.getKernel(kernelName, "cpu") !== undefined;
    const isWrong = wrongFor(kernelName, hasNonFinite);
    const run = (call: Given) => {
      const settled = { ...call, attrs: settledAttributes(kernelName, call.inputs, call.attrs) };
      const tensors = tensorsOf(call.inputs);
      for (const way of ways) {
        const result = way(settled, tensors);
        if (result) return result;
      }
      throw new Error(`wasm: ${kernelName} has no kernel`);
    };
    const again = (params: Parameters<KernelFunc>[0]) => run({ ...params, backend } as Given) as TensorInfo;
    const ways: Way[] = [
      (call) =>
        isChannelsFirst(kernelName, call.attrs) &&
        channelsLast(kernelName, call, (turned) => again({ ...turned, backend })),
      (call) => rewritten("wasm", kernelName, call, again),
      ({ inputs, attrs }, tensors) =>
        tensors.some(({ shape }) => size(shape) === 0) &&
        composite?.(inputs as object as tf.NamedTensorMap, attrs),
      (call, tensors) =>
        hasHost && ((!theirs && !ours) || isWrong(call, tensors)) && runOnHost(kernelName, call, backend),
      (call, tensors) =>
        (!theirs || tensors.every(({ dtype }) => dtype === "float32")) &&
        ours?.({ ...call, kernels, split, at, output }),
      (call) => theirs && withActivationApart(kernelName, theirs, call),
    ];
    return ({ inputs, attrs }) => run({ inputs: inputs as Inputs, attrs: (attrs ?? {}) as Attrs, backend });
  };

  /** A kernel of tfjs-backend-wasm; the activation of a fused one is run behind it, and NaN in a convolution is put right. */
  const withActivationApart = (kernelName: string, theirs: KernelFunc, call: Given) => {
    const { inputs, attrs } = call;
    const isFused = fused.has(kernelName);
    const activation = isFused && activations[attrs.activation];
    const { preluActivationWeights: alpha, ...operands } = inputs;
    const plain = { inputs: operands, attrs: isFused ? { ...attrs, activation: "linear" } : attrs, backend };
    let x = theirs(activation ? plain : call) as TensorInfo;
    if (convolutions.has(kernelName) && hasNonFinite(x)) x = unclamped(kernelName, plain, x);
    if (!activation) return x;
    const own = { alpha: attrs.leakyreluAlpha };
    const y = tf.getKernel(activation, "wasm").kernelFunc({ inputs: { x, alpha }, attrs: own, backend });
    backend.disposeData(x.dataId);
    return y;
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
