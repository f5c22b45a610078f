import type { SimdKernels } from "./simd-kernels.js";

/** Runs a kernel once for each list of arguments, in any order and side by side where there are threads. */
export type Run = (kernel: keyof SimdKernels, pieces: number[][]) => void;

export interface Threads {
  /** Threads that run pieces, this one among them. */
  count: number;
  run: Run;
  close(): void;
}

// Where the threads meet: a word each, then room for the arguments of every piece.
const [ticketAt, leftAt, doneAt, failedAt, kernelAt] = [0, 1, 2, 3, 4];
const headBytes = 32;
const slotLength = 32;

/** Pieces that one run may have, for each thread: more than one, since a core may be busy with something else. */
export const piecesPerThread = 2;

/**
 * Each thread takes the next piece by counting down `left`, so that a worker that wakes late takes nothing and holds nobody
 * up. Source text and not a module: it needs no file of its own then, and no bundler's helpers get into it.
 */
const workerSource = `onmessage = ({ data: { module, memory, control } }) => {
  const kernels = Object.values(new WebAssembly.Instance(module, { env: { memory } }).exports);
  const state = new Int32Array(control, 0, ${headBytes / 4});
  const slots = new Float64Array(control, ${headBytes});
  let ticket = Atomics.load(state, ${ticketAt});
  postMessage("ready");
  for (;;) {
    Atomics.wait(state, ${ticketAt}, ticket);
    ticket = Atomics.load(state, ${ticketAt});
    for (let piece; (piece = Atomics.sub(state, ${leftAt}, 1) - 1) >= 0; ) {
      const kernel = kernels[state[${kernelAt}]];
      const from = piece * ${slotLength};
      try {
        kernel(...slots.subarray(from, from + kernel.length));
      } catch {
        Atomics.store(state, ${failedAt}, 1);
      }
      Atomics.add(state, ${doneAt}, 1);
    }
  }
};`;

/**
 * Starts workers that run kernels of `module` on a memory that they share with this thread.
 *
 * This thread never sleeps, which browsers forbid their main thread: it takes pieces too, and then spins for those that
 * workers have begun.
 */
export async function startThreads(
  kernels: SimdKernels,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  count: number,
): Promise<Threads> {
  const control = new SharedArrayBuffer(headBytes + 8 * slotLength * piecesPerThread * count);
  const state = new Int32Array(control, 0, headBytes / 4);
  const slots = new Float64Array(control, headBytes);
  const names = Object.keys(kernels);
  const url = URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" }));
  const workers = Array.from({ length: count - 1 }, () => new Worker(url));
  const close = () => {
    for (const worker of workers) worker.terminate();
  };
  const ready = (worker: Worker) =>
    new Promise((resolve, reject) => {
      worker.onmessage = resolve;
      worker.onerror = ({ message }) => reject(new Error(`wasm: a worker did not start: ${message}`));
      worker.postMessage({ module, memory, control });
    });
  try {
    await Promise.all(workers.map(ready));
  } catch (error) {
    close();
    throw error;
  } finally {
    URL.revokeObjectURL(url);
  }

  const run: Run = (kernel, pieces) => {
    for (const [i, args] of pieces.entries()) slots.set(args, i * slotLength);
    state[kernelAt] = names.indexOf(kernel);
    Atomics.store(state, doneAt, 0);
    Atomics.store(state, leftAt, pieces.length);
    Atomics.add(state, ticketAt, 1);
    Atomics.notify(state, ticketAt);
    for (;;) {
      const piece = Atomics.sub(state, leftAt, 1) - 1;
      if (piece < 0) break;
      kernels[kernel](...pieces[piece]);
      Atomics.add(state, doneAt, 1);
    }
    while (Atomics.load(state, doneAt) < pieces.length);
    if (Atomics.exchange(state, failedAt, 0)) throw new Error(`wasm: ${kernel} failed in a worker`);
  };
  return { count, run, close };
}
