import { kernelsBase64, memoryFlagsAt } from "./kernels-binary.js";
import type { SimdKernels, WasmBackend } from "./simd-kernels.js";
import { startThreads, type Threads } from "./threads.js";

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
