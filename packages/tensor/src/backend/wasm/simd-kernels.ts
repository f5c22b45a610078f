import type { TensorInfo, TypedArray } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

type Kernel = (...args: number[]) => number;

/** The exports of `assembly/index.ts`. Pointers are byte addresses on the heap of tfjs-backend-wasm. */
export type SimdKernels = Record<
  | "adamWStep"
  | "attention"
  | "attentionGradient"
  | "batchedGemm"
  | "clip"
  | "convFilterGradient"
  | "convInputGradient"
  | "extremum"
  | "groupNorm"
  | "groupNormGradient"
  | "hasNonFinite"
  | "layerNorm"
  | "layerNormGradInput"
  | "layerNormGradWeight"
  | "maximumGradient"
  | "sum"
  | "unary"
  | "unaryGradient"
  | "windowGradient"
  | "windowMaximum",
  Kernel
>;

/** The parts of tfjs-backend-wasm that we use; its package does not export the type. */
export interface WasmBackend extends tf.KernelBackend {
  wasm: {
    HEAPU8: Uint8Array;
    asm: { memory?: WebAssembly.Memory };
    /** Where threads share the memory, `asm` does not have it. */
    wasmMemory?: WebAssembly.Memory;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
  };
  dataIdMap: { get(dataId: object): { memoryOffset: number } };
  makeOutput(shape: number[], dtype: string): TensorInfo;
  typedArrayFromHeap(info: TensorInfo): TypedArray;
}

export const wasmBackend = () => tf.backend() as WasmBackend;

/** A tensor's address. */
export const address = (backend: WasmBackend, info: TensorInfo) =>
  backend.dataIdMap.get(info.dataId).memoryOffset;

/** Addresses of float32 tensors, so many elements on. */
export const moved = (pointers: number[], floats: number) => pointers.map((pointer) => pointer + 4 * floats);
