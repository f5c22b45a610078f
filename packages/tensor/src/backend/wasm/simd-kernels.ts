import type { TensorInfo, TypedArray } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { kernelsBase64, memoryFlagsAt } from "./kernels-binary.js";
import { startThreads, type Threads } from "./threads.js";

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
    asm: { memory?: WebAssembly.Memory };
    /** Where threads share the memory, `asm` does not have it. */
    wasmMemory?: WebAssembly.Memory;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
  };
  dataIdMap: { get(dataId: object): { memoryOffset: number } };
  incRef(dataId: object): void;
  makeOutput(shape: number[], dtype: string): TensorInfo;
  typedArrayFromHeap(info: TensorInfo): TypedArray;
}

export const wasmBackend = () => tf.backend() as unknown as WasmBackend;

/** Our kernels, and the threads that run them where there are several. */
export interface Loaded {
  kernels: SimdKernels;
  threads: Threads | null;
}

let loaded: { backend: WasmBackend; promise: Promise<Loaded> } | null = null;

/**
 * Our kernels on tfjs-backend-wasm's own memory: they read and write its tensors in place. Where tfjs has threads, which
 * share that memory, as many run our kernels.
 */
export function loadSimdKernels(backend: WasmBackend, threadCount: number): Promise<Loaded> {
  if (loaded?.backend !== backend) {
    loaded?.promise.then(({ threads }) => threads?.close());
    const promise = load(backend, threadCount);
    loaded = { backend, promise };
    promise.catch(() => {
      if (loaded?.promise === promise) loaded = null;
    });
  }
  return loaded.promise;
}

async function load(backend: WasmBackend, threadCount: number): Promise<Loaded> {
  const memory = (backend.wasm.asm.memory ?? backend.wasm.wasmMemory)!;
  const shared = !(memory.buffer instanceof ArrayBuffer);
  const bytes = Uint8Array.from(atob(kernelsBase64), (character) => character.charCodeAt(0));
  bytes[memoryFlagsAt] = shared ? 3 : 1;
  const module = await WebAssembly.compile(bytes);
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const kernels = exports as unknown as SimdKernels;
  const several = shared && threadCount > 1;
  return { kernels, threads: several ? await startThreads(kernels, module, memory, threadCount) : null };
}

/** A tensor's address. */
export const address = (backend: WasmBackend, info: TensorInfo) =>
  backend.dataIdMap.get(info.dataId).memoryOffset;

/** Addresses of float32 tensors, so many elements on. */
export const moved = (pointers: number[], floats: number) => pointers.map((pointer) => pointer + 4 * floats);

/** Runs `body` with `bytes` of scratch memory, 16-byte aligned. */
export function withScratch(backend: WasmBackend, bytes: number, body: (pointer: number) => void): void {
  if (bytes === 0) {
    body(0);
    return;
  }
  const pointer = backend.wasm._malloc(bytes + 16) >>> 0;
  if (pointer === 0) throw new Error(`wasm: out of memory, ${bytes} bytes of scratch asked for`);
  try {
    body(((pointer + 15) & ~15) >>> 0);
  } finally {
    backend.wasm._free(pointer);
  }
}
