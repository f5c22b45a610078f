import type { Loaded } from "./load-kernels.js";
import { withScratch } from "./memory.js";
import type { SimdKernels, WasmBackend } from "./simd-kernels.js";
import { piecesPerThread, type Threads } from "./threads.js";

/** The axis that a kernel's work is cut along. */
export interface Extent {
  /** Rows, pixels or elements. */
  size: number;
  /** Multiply-adds, or what takes as long, for each of them. */
  work: number;
  /** Pieces are multiples of it; 1 by default. */
  step?: number;
  /** Bytes of scratch memory for each piece. */
  scratch?: number;
}

export interface Split {
  /** Runs a kernel on an extent in one piece or, where there are threads, in several. */
  run(
    kernel: keyof SimdKernels,
    extent: Extent,
    args: (from: number, count: number, scratch: number) => number[],
  ): void;
  /** The same for a kernel that adds to `length` floats: every piece to its own, which hold zeros; `target` gets their sum. */
  sum(
    kernel: keyof SimdKernels,
    extent: Extent,
    length: number,
    target: number,
    args: (from: number, count: number, scratch: number, to: number) => number[],
  ): void;
}

/** Some 30 us of a core: about what a worker needs to wake up. */
const leastWork = 1 << 18;

/** Bytes of scratch that all pieces together may take, where more than one runs. */
const mostScratch = 2 ** 28;

function cut(extent: Extent, threads: Threads | null): { length: number; count: number } {
  const { size, work, step = 1, scratch = 0 } = extent;
  if (!threads) return { length: size, count: 1 };
  const pieces = Math.min(
    threads.count * piecesPerThread,
    Math.max(1, Math.floor((size * work) / leastWork)),
    Math.max(1, Math.floor(mostScratch / (scratch + 16))),
  );
  const length = Math.ceil(size / pieces / step) * step;
  return { length, count: Math.ceil(size / length) };
}

export function splitOn(backend: WasmBackend, { kernels, threads }: Loaded): Split {
  const split: Split = {
    run(kernel, extent, args) {
      const { length, count } = cut(extent, threads);
      const { size, scratch: bytes = 0 } = extent;
      if (!threads || count === 1) {
        withScratch(backend, bytes, (scratch) => kernels[kernel](...args(0, size, scratch)));
        return;
      }
      const room = 16 * Math.ceil(bytes / 16);
      withScratch(backend, count * room, (scratch) => {
        const piece = (_: unknown, i: number) =>
          args(i * length, Math.min(length, size - i * length), scratch + i * room);
        threads.run(kernel, Array.from({ length: count }, piece));
      });
    },
    sum(kernel, extent, length, target, args) {
      const pieces = cut(extent, threads);
      const bytes = 4 * length;
      const several = pieces.count > 1;
      withScratch(backend, several ? pieces.count * bytes + 12 * length : 0, (scratch) => {
        const partial = several ? scratch : target;
        backend.wasm.HEAPU8.fill(0, partial, partial + pieces.count * bytes);
        split.run(kernel, extent, (from, count, room) =>
          args(from, count, room, partial + (from / pieces.length) * bytes),
        );
        if (several) {
          kernels.sum(1, pieces.count, length, 1, partial, target, scratch + pieces.count * bytes);
        }
      });
    },
  };
  return split;
}
