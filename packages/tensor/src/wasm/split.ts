import { type Loaded, type SimdKernels, type WasmBackend, withScratch } from "./simd-kernels.js";
import { piecesPerThread } from "./threads.js";

/** What a kernel's work is cut along. */
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

function cut({ size, work, step = 1 }: Extent, threads: number): { length: number; count: number } {
  const most = threads === 1 ? 1 : threads * piecesPerThread;
  const pieces = Math.min(most, Math.max(1, Math.floor((size * work) / leastWork)));
  const length = Math.ceil(size / pieces / step) * step;
  return { length, count: Math.ceil(size / length) };
}

export function splitOn(backend: WasmBackend, { kernels, threads }: Loaded): Split {
  const split: Split = {
    run(kernel, extent, args) {
      const { length, count } = cut(extent, threads.count);
      const room = ((extent.scratch ?? 0) + 15) & ~15;
      withScratch(backend, count * room, (scratch) => {
        const piece = (_: unknown, i: number) =>
          args(i * length, Math.min(length, extent.size - i * length), scratch + i * room);
        threads.run(kernel, Array.from({ length: count }, piece));
      });
    },
    sum(kernel, extent, length, target, args) {
      const pieces = cut(extent, threads.count);
      const bytes = 4 * length;
      withScratch(backend, pieces.count * bytes, (scratch) => {
        const partial = pieces.count === 1 ? target : scratch;
        backend.wasm.HEAPU8.fill(0, partial, partial + pieces.count * bytes);
        split.run(kernel, extent, (from, count, room) =>
          args(from, count, room, partial + (from / pieces.length) * bytes),
        );
        if (pieces.count > 1) kernels.sumRows(pieces.count, length, partial, target);
      });
    },
  };
  return split;
}
