// Runs the fuzzer's calls in a process of its own, and tells after each hundred where it is. A call must return or throw an error
// with a message of one line that names what is wrong.
import { cpus } from "node:os";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

await tf.setBackend("cpu");
const { targets } = await import("./targets.mjs");
const { hostileValues, seededNumbers } = await import("./random-values.mjs");

const [seed, count, only] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]];
const names = Object.keys(targets).filter((name) => !only || name.includes(only));
/** Messages of the engine and of libraries, which name nothing of ours. */
const unnamed =
  /Cannot (read|set|convert|destructure|mix)|is not (a function|iterable|a constructor|defined)|undefined \(reading|Invalid (array|typed array|count|string) length|Maximum call stack|out of memory|Array buffer allocation|before initialization|must be a valid enum|Assertion failed/;
const maxLength = 2000;
const bad = new Map();
const times = new Map();

for (let i = 0; i < count; i++) {
  const name = names[i % names.length];
  const draw = hostileValues(seededNumbers(seed * 1_000_003 + i));
  if (i % 100 === 0) process.send({ type: "at", i, name });
  const began = performance.now();
  let fault;
  try {
    await targets[name](draw);
  } catch (error) {
    const message = error?.message;
    if (!(error instanceof Error) || typeof message !== "string" || message === "")
      fault = `threw ${String(error)}`;
    else if (unnamed.test(message)) fault = `unnamed error: ${message.split("\n")[0].slice(0, 200)}`;
    else if (message.includes("\n"))
      fault = `error of several lines: ${message.split("\n")[0].slice(0, 200)}`;
    else if (message.length > maxLength)
      fault = `error of ${message.length} characters: ${message.slice(0, 120)}`;
  }
  const took = performance.now() - began;
  times.set(name, Math.max(times.get(name) ?? 0, took));
  if (fault) {
    const key = `${name}: ${fault}`;
    const known = bad.get(key) ?? { first: i, times: 0 };
    bad.set(key, { ...known, times: known.times + 1 });
  }
}
process.send({ type: "done", bad: [...bad], times: [...times], cores: cpus().length });
process.disconnect();
