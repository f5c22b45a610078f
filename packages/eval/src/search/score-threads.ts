import type { Worker } from "node:worker_threads";
import { nodeModule } from "../shared/node-modules.js";
import { workerProgram } from "../shared/worker-program.js";
import type { ScoreWorkerData } from "./score-worker.js";

/** Scores of a block of queries. */
export interface BlockScores {
  scores: Int32Array;
  stride: number;
  /** How far a score may be from the cosine. */
  error: number;
}

/** Worker threads of Node that score blocks of queries, each against a share of the candidates. */
export interface ScoreThreads {
  /** Scores a block; the scores of the last two blocks are valid. */
  score(queries: Float32Array): Promise<BlockScores>;
  close(): Promise<void>;
}

/** The program of a thread; undefined outside Node, and in a bundle that lacks it. */
export function scoreProgram(): URL | undefined {
  if (!globalThis.process?.getBuiltinModule) return undefined;
  return workerProgram(import.meta.url, "search/score-worker.js");
}

/**
 * Starts the threads.
 *
 * @param candidates rows of length 1 or 0, `[count, dim]`
 * @param options `program` is that of the threads, {@link scoreProgram}
 */
export function startScoreThreads(
  candidates: Float32Array,
  {
    count,
    dim,
    block,
    threads,
    program,
  }: { count: number; dim: number; block: number; threads: number; program: URL },
): ScoreThreads {
  const { Worker } = nodeModule("node:worker_threads");
  const share = Math.ceil(count / threads);
  const out: ScoreWorkerData["out"] = [
    new SharedArrayBuffer(4 * block * count),
    new SharedArrayBuffer(4 * block * count),
  ];
  const workers: Worker[] = [];
  for (let column = 0; column < count; column += share) {
    const own = candidates.slice(column * dim, Math.min(count, column + share) * dim);
    const workerData: ScoreWorkerData = {
      candidates: own,
      count: own.length / dim,
      dim,
      block,
      column,
      columns: count,
      out,
    };
    // A worker takes over this process's flags, and some, such as --input-type, are not for files.
    workers.push(new Worker(program, { workerData, transferList: [own.buffer], execArgv: [] }));
  }
  let slot: 0 | 1 = 0;
  return {
    async score(queries) {
      const used = slot;
      slot = used === 0 ? 1 : 0;
      const errors = await Promise.all(workers.map((worker) => ask(worker, { queries, slot: used })));
      return { scores: new Int32Array(out[used]), stride: count, error: Math.max(...errors) };
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** One question at a time: the answers of a worker come in the order of the questions. */
function ask(worker: Worker, message: { queries: Float32Array; slot: 0 | 1 }): Promise<number> {
  return new Promise((resolve, reject) => {
    const settle = (f: () => void) => {
      worker.off("message", answered);
      worker.off("error", failed);
      worker.off("exit", ended);
      f();
    };
    const answered = ({ error }: { error: number }) => settle(() => resolve(error));
    const failed = (error: Error) =>
      settle(() => reject(new Error(`a search thread failed: ${error.message}`, { cause: error })));
    const ended = (code: number) =>
      settle(() => reject(new Error(`a search thread ended with code ${code}`)));
    worker.on("message", answered).on("error", failed).on("exit", ended);
    worker.postMessage(message);
  });
}
