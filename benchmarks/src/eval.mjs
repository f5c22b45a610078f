// Time of k-means, nearest neighbours and retrieval on WebAssembly, on one thread and on two, beside scikit-learn on one thread:
//   node benchmarks/src/eval.mjs [--pairs 5] [--python python3] [--scale 1]
// A scale of 0.02 takes a fiftieth of the rows, to see that it runs.
// Ours and theirs take turns, ours first in one pair and theirs in the next, and the table has the median ratio of the pairs, so that
// other work on the machine weighs on both. Processor time does not count the waits for it. On two threads it is that of the main thread
// and half of the other threads', as long as two free cores would take if the main thread waited for the others throughout.
// Needs built packages, and scikit-learn for Python. Inputs go to a folder of temporary files.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { initialize, Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

const { values: options } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    python: { type: "string", default: "python3" },
    scale: { type: "string", default: "1" },
  },
});
const scale = Number(options.scale);
if (!(scale >= 0.01 && scale <= 1)) throw new Error(`--scale must be 0.01 to 1, got ${options.scale}`);
const scaled = (rows) => Math.round(scale * rows);
const pairs = Number(options.pairs);
if (!(Number.isInteger(pairs) && pairs > 0))
  throw new Error(`--pairs must be 1 or more, got ${options.pairs}`);

const tasks = {
  "k-means": "k-means, 10,000 x 512, k = 100, one start",
  neighbours: "20 nearest of 50,000 x 768 for 5,000 queries",
  retrieval: "ranks among 50,000 x 768 for 5,000 queries",
};

/** Writes blobs that overlap, queries, and candidates of which the first are a little like the queries. */
async function writeInputs(folder) {
  await initialize({ device: "wasm", threads: 1 });
  const random = new Random(1);
  const write = async (name, x) => {
    const data = await x.data();
    writeFileSync(join(folder, name), new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  };
  const [n, dim, clusters] = [scaled(10_000), 512, 100];
  const centres = tf.mul(0.35, random.normal([clusters, dim]));
  const labels = tf.tensor1d(
    Int32Array.from({ length: n }, (_, i) => i % clusters),
    "int32",
  );
  await write("k-means.bin", tf.add(random.normal([n, dim]), tf.gather(centres, labels)));
  const queries = random.normal([scaled(5000), 768]);
  const alike = tf.pad(tf.mul(queries, 0.1), [
    [0, scaled(50_000) - scaled(5000)],
    [0, 0],
  ]);
  await write("queries.bin", queries);
  await write("candidates.bin", tf.add(random.normal([scaled(50_000), 768]), alike));
}

/** A process that does the task that it is told, and says how long it took. */
function start(command, args) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${command} ${args.join(" ")} ended with code ${child.exitCode}`);
    return JSON.parse(value);
  };
  return {
    ready: next,
    run: (task) => {
      child.stdin.write(`${task}\n`);
      return next();
    },
    close: () => child.stdin.end(),
  };
}

const median = (list) => {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
};
const range = (list) => `${Math.min(...list).toFixed(2)} to ${Math.max(...list).toFixed(2)}`;

const folder = mkdtempSync(join(tmpdir(), "eval-speed-"));
const children = [];
try {
  await writeInputs(folder);
  const path = (name) => fileURLToPath(new URL(name, import.meta.url));
  const open = (command, script, threads) => {
    const child = start(command, [path(script), folder, String(threads)]);
    children.push(child);
    return child;
  };
  const ours = [1, 2].map((threads) => open(process.execPath, "eval-tasks.mjs", threads));
  const theirs = open(options.python, "../../tools/reference/eval_speed.py", 1);
  for (const child of children) await child.ready();
  /** Times of ours and theirs that followed each other, by task and threads. */
  const found = Object.fromEntries(Object.keys(tasks).map((task) => [task, []]));
  const loads = [];
  for (let pair = 0; pair < pairs; pair++) {
    for (const task of Object.keys(tasks)) {
      const row = {};
      const order = [
        ["ours1", ours[0]],
        ["theirs", theirs],
        ["ours2", ours[1]],
      ];
      for (const [name, child] of pair % 2 === 0 ? order : order.reverse()) row[name] = await child.run(task);
      found[task].push(row);
      loads.push(loadavg()[0]);
      console.error(`${task} ${JSON.stringify(row)}`);
    }
  }
  const table = [
    [
      "",
      "ours, s",
      "scikit-learn, s",
      "ratio",
      "ratio on two threads",
      "ratio by the clock, one thread",
      "by the clock, two threads",
    ],
  ];
  for (const [task, title] of Object.entries(tasks)) {
    const rows = found[task];
    const ratio = (name, of, theirOf = of) => {
      const list = rows.map((row) => row[name][of] / row.theirs[theirOf]);
      return `${median(list).toFixed(2)} (${range(list)})`;
    };
    const seconds = (name) => median(rows.map((row) => row[name].processor)).toFixed(2);
    table.push([
      title,
      seconds("ours1"),
      seconds("theirs"),
      ratio("ours1", "processor"),
      rows[0].ours2.path === undefined ? "" : ratio("ours2", "path", "processor"),
      ratio("ours1", "seconds"),
      ratio("ours2", "seconds"),
    ]);
    const recalls = rows.flatMap((row) =>
      Object.values(row).flatMap(({ recall }) => (recall ? [recall] : [])),
    );
    // Cosines that differ in the last digit of float32 may change places.
    const isApart = recalls.some((list) => list.some((value, k) => Math.abs(value - recalls[0][k]) > 5e-4));
    if (isApart) throw new Error(`${task}: ours and theirs disagree: ${JSON.stringify(recalls)}`);
  }
  console.log(
    `${scale === 1 ? "" : `${scale} of the rows, `}${pairs} pairs, median (least to largest); load ${range(loads)} on ${availableParallelism()} cores\n`,
  );
  console.log(
    table
      .map((row) => `| ${row.join(" | ")} |`)
      .join("\n")
      .replace("\n", `\n|${" --- |".repeat(7)}\n`),
  );
} finally {
  for (const child of children) child.close();
  rmSync(folder, { recursive: true, force: true });
}
