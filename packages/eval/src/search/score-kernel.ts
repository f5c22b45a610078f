import { kernelsBase64 } from "./kernels-binary.js";

/** Rows of length 1 become rows of this length: the largest whose products and sums int32 holds. */
export const scale = 32767;

/** int16 elements of a row are padded to full vectors. */
const lanes = 8;
/** Queries and candidates that the kernel takes at a time. */
const queryStep = 4;
const candidateStep = 2;
const pageBytes = 65536;
/** Rows that are rounded at a time, a multiple of both steps. */
const stagedRows = 256;

interface Kernels {
  quantize(from: number, to: number, rows: number, group: number, dim: number, scale: number): number;
  scores(
    queries: number,
    queryCount: number,
    candidates: number,
    count: number,
    width: number,
    out: number,
  ): void;
}

let compiled: WebAssembly.Module | false | undefined;

/** Whether this platform runs the kernel: it needs WebAssembly's SIMD. */
export function hasScoreKernel(): boolean {
  compiled ??= compile();
  return compiled !== false;
}

function compile(): WebAssembly.Module | false {
  try {
    const bytes = Uint8Array.from(atob(kernelsBase64), (character) => character.charCodeAt(0));
    return WebAssembly.validate(bytes) && new WebAssembly.Module(bytes);
  } catch {
    return false;
  }
}

/** Candidates in the memory of a WebAssembly module, and what scores queries against them. */
export interface ScoreKernel {
  /** The largest length of a candidate's rounding errors, for rows of length 1. */
  candidateError: number;
  /**
   * Scores a block of queries, at most as many as the kernel was opened for.
   *
   * @param queries rows of length 1 or 0, `[n, dim]`
   * @returns dot products times `scale * scale`, `[n, stride]` of which `count` of each row are candidates; valid until the next call
   */
  score(queries: Float32Array): { scores: Int32Array; stride: number; error: number };
}

/** Bytes that `openScoreKernel` takes. */
export function scoreKernelBytes({
  count,
  dim,
  block,
}: {
  count: number;
  dim: number;
  block: number;
}): number {
  const width = roundUp(dim, lanes);
  const columns = roundUp(count, candidateStep);
  const staged = 4 * dim * stagedRows;
  return (
    2 * width * (columns + roundUp(block, queryStep)) +
    Math.max(staged, 4 * columns * roundUp(block, queryStep))
  );
}

/**
 * Takes candidates into a memory of their own.
 *
 * @param candidates rows of length 1 or 0, `[count, dim]`
 * @param block queries at a time, at most
 */
export function openScoreKernel(
  candidates: Float32Array,
  { count, dim, block }: { count: number; dim: number; block: number },
): ScoreKernel {
  if (!hasScoreKernel()) throw new Error("openScoreKernel: no SIMD here");
  const bytes = scoreKernelBytes({ count, dim, block });
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes), maximum: 65536 });
  const instance = new WebAssembly.Instance(compiled as WebAssembly.Module, { env: { memory } });
  const kernels = instance.exports as unknown as Kernels;
  const width = roundUp(dim, lanes);
  const columns = roundUp(count, candidateStep);
  const rows = roundUp(block, queryStep);
  const queriesAt = 0;
  const candidatesAt = queriesAt + 2 * width * rows;
  const outAt = candidatesAt + 2 * width * columns;
  /** Rounds rows to int16, from where the scores will be. */
  const take = (from: Float32Array, to: number, group: number) => {
    let error = 0;
    const n = from.length / dim;
    for (let row = 0; row < n; row += stagedRows) {
      const some = from.subarray(row * dim, Math.min(n, row + stagedRows) * dim);
      new Float32Array(memory.buffer, outAt, some.length).set(some);
      const at = to + 2 * width * row;
      error = Math.max(error, kernels.quantize(outAt, at, some.length / dim, group, dim, scale));
    }
    return error / scale;
  };
  const candidateError = take(candidates, candidatesAt, candidateStep);
  return {
    candidateError,
    score(queries) {
      const error = take(queries, queriesAt, queryStep);
      const n = roundUp(queries.length / dim, queryStep);
      kernels.scores(queriesAt, n, candidatesAt, columns, width, outAt);
      return { scores: new Int32Array(memory.buffer, outAt, n * columns), stride: columns, error };
    },
  };
}

const roundUp = (n: number, step: number): number => Math.ceil(n / step) * step;
