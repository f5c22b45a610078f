import type { KernelFunc, NamedAttrMap, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

export type KernelParameters = Parameters<KernelFunc>[0];
export type Run = (params: KernelParameters) => TensorInfo;

/** A call of a kernel as calls that tfjs-backend-cpu and tfjs-backend-wasm compute right; null where it is one. */
export type Rewrite = (backendName: string, params: KernelParameters, run: Run) => TensorInfo | null;

/** Runs kernels of a backend. */
export const onBackend =
  (backendName: string, backend: KernelParameters["backend"]) =>
  (kernelName: string, inputs: Record<string, TensorInfo>, attrs: object): TensorInfo =>
    tf
      .getKernel(kernelName, backendName)
      .kernelFunc({ inputs, attrs: attrs as NamedAttrMap, backend }) as TensorInfo;
