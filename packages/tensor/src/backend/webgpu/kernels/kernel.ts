import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { WebGPUBackend } from "../webgpu-backend.js";

/** A kernel's attributes, checked by the op that calls it. */
export type Attributes = Record<string, any>;

/** A kernel's arguments from tfjs. */
export interface Call {
  inputs: Record<string, TensorInfo>;
  attrs: Attributes;
  backend: WebGPUBackend;
}

/** A kernel as tfjs runs it: launches its shaders and returns fresh outputs. */
export type Kernel = (call: Call) => TensorInfo | TensorInfo[];

/** Kernels by the name that tfjs knows them by; each file of kernels exports one. */
export type KernelTable = Record<string, Kernel>;

/** WGSL type of a dtype's element. */
export const elementType = (dtype: string) => (dtype === "float32" ? "f32" : "i32");
