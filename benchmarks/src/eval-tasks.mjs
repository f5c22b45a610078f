// Does the tasks of eval.mjs that its lines of input name: node benchmarks/src/eval-tasks.mjs FOLDER THREADS
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fitKMeans, nearestNeighbours, retrievalScores } from "@dcr-js/eval";
import { initialize } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

const [folder, count] = process.argv.slice(2);
const threads = Number(count);
await initialize({ device: "wasm", threads });

function load(name, width) {
  const { buffer, byteOffset, byteLength } = readFileSync(join(folder, name));
  const data = new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
  return tf.tensor2d(data, [data.length / width, width]);
}
const [rows, queries, candidates] = [
  load("k-means.bin", 512),
  load("queries.bin", 768),
  load("candidates.bin", 768),
];
const right = Array.from({ length: queries.shape[0] }, (_, i) => [i]);

const tasks = {
  "k-means": async () => {
    const { iterations, inertia } = await fitKMeans(rows, { clusters: 100, restarts: 1 });
    return { iterations, inertia };
  },
  neighbours: async () => {
    await nearestNeighbours(queries, { among: candidates, k: 20, threads });
  },
  retrieval: async () => {
    const { recall } = await retrievalScores(queries, candidates, { right, threads, tieTolerance: 0 });
    return { recall: [1, 5, 10].map((k) => Number(recall[k].toFixed(6))) };
  },
};

/** Processor time of the main thread in seconds, where Linux tells it. */
function mainThread() {
  const path = `/proc/self/task/${process.pid}/schedstat`;
  return existsSync(path) ? Number(readFileSync(path, "utf8").split(" ")[0]) / 1e9 : undefined;
}

console.log(JSON.stringify({ ready: true }));
for await (const task of createInterface({ input: process.stdin })) {
  const [began, cpu, main] = [performance.now(), process.cpuUsage(), mainThread()];
  const told = await tasks[task]();
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - began) / 1000;
  const processor = (user + system) / 1e6;
  // The main thread's time and, as if it waited for them, the share of each other thread.
  const own = main === undefined ? undefined : mainThread() - main;
  const path = own === undefined ? undefined : own + (processor - own) / threads;
  console.log(JSON.stringify({ seconds, processor, path, ...told }));
}
process.exit(0);
