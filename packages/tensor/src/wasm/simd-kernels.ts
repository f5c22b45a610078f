import type { TensorInfo, TypedArray } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { kernelsBase64 } from "./kernels-binary.js";

type Kernel = (...args: number[]) => number;

/** What `assembly/index.ts` exports. Pointers are byte addresses on the heap of tfjs-backend-wasm. */
export type SimdKernels = Record<
  | "adamWStep"
  | "batchedGemm"
  | "gemmScratch"
  | "convFilterGradient"
  | "convInputGradient"
  | "attention"
  | "attentionGradient"
  | "attentionScratch"
  | "groupNorm"
  | "groupNormGradient"
  | "layerNorm"
  | "layerNormGradInput"
  | "layerNormGradWeight"
  | "maximumGradient"
  | "sumRows"
  | "unary"
  | "unaryGradient"
  | "windowGradient"
  | "windowMaximum",
  Kernel
>;

/** The parts of tfjs-backend-wasm that we use; its package does not export the type. */
export interface WasmBackend {
  wasm: {
    HEAPU8: Uint8Array;
    asm: { memory: WebAssembly.Memory };
    _malloc(bytes: number): number;
    _free(pointer: number): void;
  };
  dataIdMap: { get(dataId: object): { memoryOffset: number } };
  incRef(dataId: object): void;
  makeOutput(shape: number[], dtype: string): TensorInfo;
  typedArrayFromHeap(info: TensorInfo): TypedArray;
}

export const wasmBackend = () => tf.backend() as unknown as WasmBackend;

/**
 * Instantiates our kernels on tfjs-backend-wasm's own memory: they read and write its tensors in place.
 */
export async function loadSimdKernels(backend: WasmBackend): Promise<SimdKernels> {
  const bytes = Uint8Array.from(atob(kernelsBase64), (character) => character.charCodeAt(0));
  const { instance } = await WebAssembly.instantiate(bytes, { env: { memory: backend.wasm.asm.memory } });
  return instance.exports as unknown as SimdKernels;
}

/** A tensor's address. */
export const address = (backend: WasmBackend, info: TensorInfo) =>
  backend.dataIdMap.get(info.dataId).memoryOffset;

/** Runs `body` with `bytes` of scratch memory, 16-byte aligned. */
export function withScratch(backend: WasmBackend, bytes: number, body: (pointer: number) => void): void {
  const pointer = backend.wasm._malloc(bytes + 16) >>> 0;
  if (pointer === 0) throw new Error(`wasm: out of memory, ${bytes} bytes of scratch asked for`);
  try {
    body((pointer + 15) & ~15);
  } finally {
    backend.wasm._free(pointer);
  }
}
