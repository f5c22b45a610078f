// Time of k-means and of a search on WebAssembly with one thread, beside scikit-learn on one thread:
//   node benchmarks/src/eval.mjs [threads...] && python3 tools/reference/eval_speed.py
// Writes its inputs to the folder of temporary files, where the Python script reads them. Needs built packages.
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fitKMeans, nearestNeighbours } from "@dcr-js/eval";
import { initialize, Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

await initialize({ device: "wasm", threads: 1 });
const random = new Random(1);

async function save(name, x) {
  const data = await x.data();
  writeFileSync(join(tmpdir(), name), new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return x;
}

async function time(name, f) {
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const told = await f();
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
  console.log(
    `${name}: ${seconds(performance.now() - began)}, processor ${seconds((user + system) / 1000)}${told}`,
  );
}

// 100 blobs that overlap.
const [n, dim, clusters] = [10_000, 512, 100];
const centres = tf.mul(0.35, random.normal([clusters, dim]));
const labels = tf.tensor1d(
  Int32Array.from({ length: n }, (_, i) => i % clusters),
  "int32",
);
const rows = await save("eval-k-means.bin", tf.add(random.normal([n, dim]), tf.gather(centres, labels)));
await time(`k-means ${n} x ${dim}, k = ${clusters}`, async () => {
  const { iterations, inertia } = await fitKMeans(rows, { clusters, restarts: 1 });
  return `, ${iterations} iterations, inertia ${inertia.toFixed(0)}`;
});

const queries = await save("eval-queries.bin", random.normal([5000, 768]));
const candidates = await save("eval-candidates.bin", random.normal([50_000, 768]));
const threadCounts = process.argv.slice(2).map(Number);
for (const threads of threadCounts.length > 0 ? threadCounts : [1]) {
  await time(`20 nearest of 50,000 x 768 for 5,000 queries, threads ${threads}`, async () => {
    await nearestNeighbours(queries, { among: candidates, k: 20, threads });
    return "";
  });
}
