import * as tf from "@tensorflow/tfjs-core";
import { forEachSimilarityRow } from "../features/similarity-rows.js";
import { checkNumber } from "../shared/check-options.js";
import { nodeModule } from "../shared/node-modules.js";
import { hostUnitRows } from "./host-unit-rows.js";
import { hasScoreKernel, openScoreKernel, scale, scoreKernelBytes } from "./score-kernel.js";
import { type BlockScores, scoreProgram, startScoreThreads } from "./score-threads.js";

export interface SearchOptions {
  /**
   * Threads that compare rows where the backend is WebAssembly or tfjs's CPU backend. More than 1 need Node. Default: Node's
   * processors for searches of more than 10^10 products, else 1. The result does not depend on it.
   */
  threads?: number;
}

/** A query's scores against all candidates, which are near its cosines and in their order, and the cosines themselves. */
export interface ScoreRow {
  /** Not to be kept. */
  scores: Int32Array | Float32Array;
  /** The score of a cosine of 1. */
  unit: number;
  /** A score differs by no more from `unit` times its cosine. */
  error: number;
  /** The cosine with a candidate. */
  cosine(candidate: number): number;
}

/** Cosines of float32 rows have this error of their own. */
const floatError = 2 ** -22;
/** Scores that are in memory at a time. */
const blockScores = 2 ** 22;
const mostBlock = 64;
/** Below a second of one thread. */
const manyProducts = 1e10;
/** WebAssembly's memory ends at 4 GiB. */
const mostKernelBytes = 2 ** 32 - 2 ** 24;

/**
 * Compares every query with every candidate by cosine, a block of queries at a time. On a GPU the scores are the cosines; on the
 * processor they are products of rows rounded to 16 bits, four times as fast, and the cosines are computed for the candidates that ask for
 * them.
 *
 * @param visit gets a query's number and its scores, in order of the queries
 */
export async function forEachScoreRow(
  caller: string,
  { queries, candidates, threads }: { queries: tf.Tensor2D; candidates: tf.Tensor2D } & SearchOptions,
  visit: (query: number, row: ScoreRow) => void,
): Promise<void> {
  if (threads !== undefined) checkNumber(`${caller}: threads`, threads, { min: 1, max: 1024, integer: true });
  const [n, dim] = queries.shape;
  const count = candidates.shape[0];
  const program = scoreProgram();
  if (threads !== undefined && threads > 1 && !program) {
    throw new Error(
      `${caller}: threads must be 1 outside Node, and in a bundle that lacks score-worker.js, got ${threads}`,
    );
  }
  const block = Math.max(
    4,
    Math.min(mostBlock, 4 * Math.floor(blockScores / count / 4), 4 * Math.ceil(n / 4)),
  );
  const onHost = ["wasm", "cpu"].includes(tf.getBackend()) && hasScoreKernel();
  if (!onHost || scoreKernelBytes({ count, dim, block }) > mostKernelBytes) {
    await forEachSimilarityRow(queries, candidates, (query, similarities) =>
      visit(query, { scores: similarities, unit: 1, error: 0, cosine: (j) => similarities[j] }),
    );
    return;
  }
  const a = await hostUnitRows(queries);
  const b = candidates === queries ? a : await hostUnitRows(candidates);
  const fastest =
    n * count * dim < manyProducts || !program ? 1 : nodeModule("node:os").availableParallelism();
  const scorer = openScorer(b, { count, dim, block, program, threads: Math.min(threads ?? fastest, count) });
  try {
    const ask = (start: number) =>
      start < n ? scorer.score(a.slice(start * dim, Math.min(n, start + block) * dim)) : undefined;
    let next = ask(0);
    for (let start = 0; start < n; start += block) {
      const { scores, stride, error } = await next!;
      // Threads compute the next block while this one is looked at.
      next = scorer.ahead ? ask(start + block) : undefined;
      next?.catch(() => {});
      for (let query = start; query < Math.min(n, start + block); query++) {
        const from = (query - start) * stride;
        visit(query, {
          scores: scores.subarray(from, from + count),
          unit: scale * scale,
          error: Math.ceil((error + floatError) * scale * scale) + 1,
          cosine: (candidate) => dot(a, query * dim, b, candidate * dim, dim),
        });
      }
      next ??= ask(start + block);
    }
  } finally {
    await scorer.close();
  }
}

interface Scorer {
  /** Whether it computes a block while others are read. */
  ahead: boolean;
  score(queries: Float32Array): Promise<BlockScores>;
  close(): Promise<void>;
}

function openScorer(
  candidates: Float32Array,
  {
    threads,
    program,
    ...sizes
  }: { count: number; dim: number; block: number; threads: number; program: URL | undefined },
): Scorer {
  if (threads > 1 && program) {
    return { ahead: true, ...startScoreThreads(candidates, { ...sizes, threads, program }) };
  }
  const kernel = openScoreKernel(candidates, sizes);
  return {
    ahead: false,
    score: async (queries) => {
      const { error, ...found } = kernel.score(queries);
      return { ...found, error: error + kernel.candidateError + error * kernel.candidateError };
    },
    close: async () => {},
  };
}

function dot(a: Float32Array, from: number, b: Float32Array, to: number, dim: number): number {
  // Four sums, which the processor adds side by side.
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 4 <= dim; i += 4) {
    s0 += a[from + i] * b[to + i];
    s1 += a[from + i + 1] * b[to + i + 1];
    s2 += a[from + i + 2] * b[to + i + 2];
    s3 += a[from + i + 3] * b[to + i + 3];
  }
  for (; i < dim; i++) s0 += a[from + i] * b[to + i];
  return s0 + s1 + (s2 + s3);
}
