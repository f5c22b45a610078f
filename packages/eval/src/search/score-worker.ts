import { parentPort, workerData } from "node:worker_threads";
import { openScoreKernel } from "./score-kernel.js";

/** A share of the candidates, and where their scores go. */
export interface ScoreWorkerData {
  candidates: Float32Array;
  count: number;
  dim: number;
  block: number;
  /** Of the shared scores: which column is this share's first, and how many there are. */
  column: number;
  columns: number;
  /** `[block, columns]`, two of them. */
  out: [SharedArrayBuffer, SharedArrayBuffer];
}

const { candidates, count, dim, block, column, columns, out } = workerData as ScoreWorkerData;
const kernel = openScoreKernel(candidates, { count, dim, block });
parentPort!.on("message", ({ queries, slot }: { queries: Float32Array; slot: 0 | 1 }) => {
  const { scores, stride, error } = kernel.score(queries);
  const target = new Int32Array(out[slot]);
  for (let row = 0; row < queries.length / dim; row++) {
    target.set(scores.subarray(row * stride, row * stride + count), row * columns + column);
  }
  parentPort!.postMessage({ error: error + kernel.candidateError + error * kernel.candidateError });
});
