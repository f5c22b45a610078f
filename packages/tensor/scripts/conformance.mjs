// Runs tfjs-core's own operator suite, which ships in its npm package, on our WebGPU backend and prints how many
// specs ran, passed and failed, with the reasons. `--only <text>` runs the specs whose name holds the text.
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const { values: options } = parseArgs({
  options: { only: { type: "string" }, verbose: { type: "boolean", default: false } },
});
const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const core = join(dirname(require.resolve("@tensorflow/tfjs-core/package.json")), "dist");
const source = join(here, "..", "src");
const name = "dcr-webgpu";

const entry = `
import { setTestEnvs, setupTestFilters } from ${JSON.stringify(join(core, "jasmine_util.js"))};
import "@tensorflow/tfjs-core";
import ${JSON.stringify(join(core, "register_all_gradients.js"))};
import ${JSON.stringify(join(core, "public/chained_ops/register_all_chained_ops.js"))};
import { requestWebGPUDevice } from ${JSON.stringify(join(source, "device/request-device.ts"))};
import { registerWebGPUBackend } from ${JSON.stringify(join(source, "backend/register-backend.ts"))};
export { getBackend } from "@tensorflow/tfjs-core";
export async function prepare() {
  const found = await requestWebGPUDevice();
  registerWebGPUBackend(found, { checkKeys: true });
  setTestEnvs([{ name: "${name}", backendName: "${name}", isDataSync: false }]);
  setupTestFilters([{ include: " ${name} " }], () => false);
  return found.name;
}
export const declare = () => require(${JSON.stringify(join(core, "tests.js"))});
`;

// Inside node_modules, so that the bundle finds the package "webgpu".
const folder = join(here, "..", "node_modules", ".cache");
mkdirSync(folder, { recursive: true });
const outfile = join(folder, "conformance.cjs");
await build({
  stdin: { contents: entry, resolveDir: core },
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node20",
  outfile,
  // One copy of tfjs-core, the one whose tests run.
  alias: { "@tensorflow/tfjs-core": join(core, "index.js") },
  // Packages' ES2017 files: the classes of their ES5 bundles cannot extend tfjs-core's.
  mainFields: ["module", "main"],
  ignoreAnnotations: true,
  logLevel: "error",
});

const jasmine = require("jasmine-core").boot();
const suite = await import(pathToFileURL(outfile).href);
const { prepare, declare } = suite.default ?? suite;
const adapter = await prepare();
declare();

const failures = [];
let run = 0;
let passed = 0;
const warn = console.warn;
console.warn = () => {};
const env = jasmine.getEnv();
const filter = env.configuration().specFilter;
env.configure({
  random: false,
  specFilter: (spec) => filter(spec) && (!options.only || spec.getFullName().includes(options.only)),
});
env.clearReporters();
env.addReporter({
  specDone(result) {
    if (result.status === "passed") passed++;
    else if (result.status === "failed") failures.push(result);
    else return;
    run++;
  },
});
await env.execute();
console.warn = warn;

const reasonOf = ({ failedExpectations: [first] }) => {
  const message = first?.message ?? "no expectation";
  const missing = message.match(/Kernel '(\w+)' not registered/);
  if (missing) return `kernel ${missing[1]} is missing`;
  return message
    .split("\n")[0]
    .replace(/-?\d[\d.]*(e[-+]?\d+)?/g, "#")
    .slice(0, 90);
};
const reasons = new Map();
for (const failure of failures) {
  const reason = reasonOf(failure);
  reasons.set(reason, [...(reasons.get(reason) ?? []), failure.fullName]);
}
for (const [reason, names] of [...reasons].sort((a, b) => b[1].length - a[1].length)) {
  console.log(
    `${String(names.length).padStart(5)}  ${reason}${names.length < 3 || options.verbose ? `: ${names.join("; ")}` : ""}`,
  );
}
console.log(`\n${name} on ${adapter}: ${run} specs run, ${passed} passed, ${failures.length} failed`);
process.exit(0);
