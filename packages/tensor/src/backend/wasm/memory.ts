import * as tf from "@tensorflow/tfjs-core";
import { checkSizes } from "../check-sizes.js";
import type { WasmBackend } from "./simd-kernels.js";

/**
 * The memory of tfjs-backend-wasm: 32-bit addresses, 4 GiB. All of it that JavaScript asks for (tensors and scratch) passes here,
 * where sizes are numbers of float64 that do not wrap. A tensor that was allocated has fewer than 2^30 elements then, so that kernels
 * may index its elements by i32, and scratch is as long as they take it for.
 */
const limit = 2 ** 32;

interface Use {
  /** Bytes by address. */
  blocks: Map<number, number>;
  bytes: number;
}

const uses = new WeakMap<object, Use>();

/** The kernels that run, innermost last. */
const running: string[] = [];

/** Counts what is allocated, and makes a refusal an error that says so, as a tensor of a negative size. */
export function guardMemory(backend: WasmBackend): void {
  const { wasm } = backend;
  if (uses.has(wasm)) return;
  const makeOutput = backend.makeOutput.bind(backend);
  backend.makeOutput = (shape, ...rest) => {
    checkSizes(shape);
    return makeOutput(shape, ...rest);
  };
  const use: Use = { blocks: new Map(), bytes: 0 };
  uses.set(wasm, use);
  // Emscripten's stubs replace themselves, and what is put in their place, at the first call.
  wasm._free(wasm._malloc(1));
  const { _malloc: malloc, _free: free } = wasm;
  wasm._malloc = (bytes) => {
    let pointer = 0;
    try {
      if (bytes < limit - use.bytes) pointer = malloc(bytes) >>> 0;
    } catch (error) {
      if (!isFailure(error)) throw error;
    }
    // Near its end the allocator has been seen to hand out what lies past the memory.
    if (pointer === 0 || pointer + bytes > wasm.HEAPU8.length)
      throw new OutOfMemory(wasm, `${bytes} bytes wanted`);
    use.blocks.set(pointer, bytes);
    use.bytes += bytes;
    return pointer;
  };
  wasm._free = (pointer) => {
    const address = pointer >>> 0;
    use.bytes -= use.blocks.get(address) ?? 0;
    use.blocks.delete(address);
    free(pointer);
  };
}

class OutOfMemory extends Error {
  constructor(wasm: object, wanted: string, cause?: unknown) {
    const bytes = uses.get(wasm)?.bytes ?? 0;
    const operation = running.at(-1) ?? "a tensor from the host";
    super(
      `wasm: out of memory in ${operation}: ${wanted}, ${bytes} bytes in use, at most ${limit - bytes} available of ${limit}`,
      { cause },
    );
    this.name = "OutOfMemory";
  }
}

/** Whether the module itself gave up in the ways in which it does where its own allocation fails. */
const isFailure = (error: unknown) =>
  !(error instanceof OutOfMemory) &&
  /^abort|bad_alloc|out of bounds|unreachable/i.test(String((error as Error)?.message ?? error));

/**
 * Runs a kernel. Where it fails, the tensors that it made are freed, and a failure inside the module names the kernel.
 *
 * @param inputBytes what the kernel reads, for the error.
 */
export function runNamed<T>(
  backend: WasmBackend,
  kernelName: string,
  inputBytes: () => number,
  kernel: () => T,
): T {
  const made: object[] = [];
  const { move } = backend;
  running.push(kernelName);
  // Outputs and what comes from the host are both made by `move`; a kernel inside the kernel restores this one's.
  backend.move = (dataId, ...rest) => {
    move.call(backend, dataId, ...rest);
    made.push(dataId);
  };
  try {
    return kernel();
  } catch (error) {
    for (const dataId of made) if (!isTracked(dataId)) backend.disposeData(dataId, true);
    if (!isFailure(error)) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      throw new Error(`wasm: ${kernelName} failed: ${error.message}`, { cause: error });
    }
    throw new OutOfMemory(
      backend.wasm,
      `memory of its own beside ${inputBytes()} bytes of inputs wanted`,
      error,
    );
  } finally {
    backend.move = move;
    running.pop();
  }
}

/** Whether the engine knows the data, as a tensor that an op inside the kernel made; its scope disposes it. */
const isTracked = (dataId: object) => tf.engine().state.tensorInfo.has(dataId);

/** Runs `body` with `bytes` of scratch memory, 16-byte aligned. */
export function withScratch(backend: WasmBackend, bytes: number, body: (pointer: number) => void): void {
  if (bytes === 0) {
    body(0);
    return;
  }
  const pointer = backend.wasm._malloc(bytes + 16);
  try {
    body(((pointer + 15) & ~15) >>> 0);
  } finally {
    backend.wasm._free(pointer);
  }
}
