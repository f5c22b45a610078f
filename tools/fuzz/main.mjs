/**
 * `npm run test:fuzz [-- --inputs 100000 --seed 1 --target contrastive]`: calls the functions that take values from outside with hostile
 * input, and fails on a crash, a hang (10 s without a sign), or an error that does not name what is wrong in one line.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    target: { type: "string" },
  },
});
const inputs = Number(values.inputs);
const seed = Number(values.seed);
if (!Number.isSafeInteger(inputs) || inputs < 1)
  throw new Error(`--inputs must be a positive integer, got ${values.inputs}`);
if (!Number.isSafeInteger(seed) || seed < 0)
  throw new Error(`--seed must be an integer of at least 0, got ${values.seed}`);

const worker = fork(
  fileURLToPath(new URL("worker.mjs", import.meta.url)),
  [String(seed), String(inputs), values.target ?? ""],
  {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  },
);
let at = { i: 0, name: "the start" };
let complaint = "";
let result;
let hung = false;
// A hundred calls may take a few seconds on a busy machine; the first sign waits for the packages to load.
let timer = setTimeout(hang, 120_000);
function hang() {
  hung = true;
  worker.kill("SIGKILL");
}
worker.stderr.on("data", (text) => {
  complaint = (complaint + text).slice(-2000);
});
worker.on("message", (message) => {
  clearTimeout(timer);
  if (message.type === "done") {
    result = message;
    return;
  }
  at = message;
  timer = setTimeout(hang, 60_000);
  if (at.i % 10_000 === 0) console.log(`${at.i} of ${inputs}`);
});
worker.on("exit", (code, signal) => {
  clearTimeout(timer);
  if (!result) {
    console.log(
      `${hung ? "hung" : `crashed (${signal ?? code})`} within a hundred calls of call ${at.i}, ${at.name}\n${complaint}`,
    );
    process.exitCode = 1;
    return;
  }
  for (const [fault, { first, times }] of result.bad)
    console.log(`${fault} (${times} times, first at call ${first})`);
  const slowest = result.times.sort(([, a], [, b]) => b - a)[0];
  console.log(
    `${inputs} inputs with seed ${seed}: ${result.bad.length} kinds of fault; the slowest call took ${(slowest[1] / 1000).toFixed(1)} s (${slowest[0]})`,
  );
  if (result.bad.length > 0) process.exitCode = 1;
});
