import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { SimdKernels, WasmBackend } from "./simd-kernels.js";
import type { Split } from "./split.js";

export type Inputs = Record<string, TensorInfo>;
// biome-ignore lint/suspicious/noExplicitAny: what attributes hold is each kernel's own affair
export type Attrs = Record<string, any>;

/** The arguments of a kernel of ours. */
export interface Call {
  inputs: Inputs;
  attrs: Attrs;
  backend: WasmBackend;
  kernels: SimdKernels;
  split: Split;
  /** The address of an input. */
  at: (info: TensorInfo) => number;
  /** A new output tensor. */
  output: (shape: number[]) => TensorInfo;
}

export type Kernel = (call: Call) => TensorInfo | TensorInfo[];
