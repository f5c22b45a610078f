// One process of scripts/conformance.mjs: runs the specs of a bundle that are not to be skipped, and appends to a log what
// started and how it ended, line by line, so that a crash leaves what came before.
import { appendFileSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [which, bundle, log, skipFile, only] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const write = (entry) => appendFileSync(log, `${JSON.stringify(entry)}\n`);
const skip = JSON.parse(readFileSync(skipFile, "utf8"));
const [ids, names] = [new Set(skip.ids), new Set(skip.names)];

if (which === "official") {
  // It looks for a browser's WebGPU when it is loaded, and else registers nothing.
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, "navigator", { value: { gpu: create([]) }, configurable: true });
}
const jasmine = require("jasmine-core").boot();
const { prepare, declare } = require(bundle);
// Of a slow adapter on a busy machine; jasmine's own 5 s are for unit tests.
jasmine.DEFAULT_TIMEOUT_INTERVAL = 60_000;
await prepare();
declare();

console.warn = () => {};
const env = jasmine.getEnv();
const chosen = new Set();
const filter = env.configuration().specFilter;
env.configure({
  random: false,
  specFilter: (spec) => {
    const name = spec.getFullName();
    const isChosen = filter(spec) && name.includes(only) && !ids.has(spec.id) && !names.has(name);
    if (isChosen) chosen.add(spec.id);
    return isChosen;
  },
});
env.clearReporters();
env.addReporter({
  // jasmine reports those that the filter excludes too.
  specStarted({ id, fullName }) {
    if (chosen.has(id)) write({ started: { id, name: fullName } });
  },
  specDone({ id, fullName, status, failedExpectations: [first] }) {
    if (status !== "passed" && status !== "failed") return;
    const failure = status === "passed" ? null : (first?.message ?? "no expectation");
    write({ done: { id, name: fullName, failure } });
  },
});
await env.execute();
write({ ended: true });
// Dawn keeps the process alive.
process.exit(0);
