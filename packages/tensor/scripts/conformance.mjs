// Runs tfjs-core's own operator suite, which ships in its npm package, on our WebGPU backend and on
// @tensorflow/tfjs-backend-webgpu, and prints how many specs ran, passed, failed and were left out, with the reasons.
// Ours runs in one process; the other goes on in a new one where it crashes. Exits with 1 where one of ours fails.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const usage = `npm run conformance -w packages/tensor -- [options]
  --backend ours|official|both   which to run (default both)
  --float16                      ours with every input stored as float16 whose values allow it exactly
  --only <text>                  the specs whose name holds the text
  --json <file>                  writes { ours, official }, each { run, passed, failed, leftOut: [{ spec, reason }] }
  --bundle <file>                writes the suite and ours in one CommonJS file, for conformance-run.mjs, and runs nothing
  --verbose                      names every failed spec`;
const { values: options } = parseArgs({
  options: {
    backend: { type: "string", default: "both" },
    float16: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    json: { type: "string" },
    bundle: { type: "string" },
    verbose: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help || !["ours", "official", "both"].includes(options.backend)) {
  console.log(usage);
  process.exit(options.help ? 0 : 1);
}

const here = dirname(fileURLToPath(import.meta.url));
const core = join(
  dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-core/package.json")),
  "dist",
);
const source = join(here, "..", "src");
const backends = {
  ours: {
    name: "dcr-webgpu",
    title: "dcr-webgpu",
    imports: `
import { requestWebGPUDevice } from ${JSON.stringify(join(source, "device/request-device.ts"))};
import { registerWebGPUBackend } from ${JSON.stringify(join(source, "backend/webgpu/register-backend.ts"))};`,
    start: `registerWebGPUBackend(await requestWebGPUDevice(), { checkKeys: true, exactHalves: ${options.float16} });`,
  },
  official: {
    name: "webgpu",
    title: "tfjs-backend-webgpu",
    imports: 'import "@tensorflow/tfjs-backend-webgpu";',
    start: "",
  },
};
const chosen = options.backend === "both" ? ["ours", "official"] : [options.backend];
const allLeftOut = JSON.parse(readFileSync(join(here, "conformance-left-out.json"), "utf8"));

// Inside node_modules, so that the bundles find the package "webgpu".
const folder = join(here, "..", "node_modules", ".cache");
mkdirSync(folder, { recursive: true });

/** The suite and a backend in one CommonJS file. */
async function bundle(which, outfile = join(folder, `conformance-${which}.cjs`)) {
  const { name, imports, start } = backends[which];
  const contents = `
import { setTestEnvs, setupTestFilters } from ${JSON.stringify(join(core, "jasmine_util.js"))};
import { getBackend, setBackend } from "@tensorflow/tfjs-core";
import ${JSON.stringify(join(core, "register_all_gradients.js"))};
import ${JSON.stringify(join(core, "public/chained_ops/register_all_chained_ops.js"))};
${imports}
export async function prepare() {
  ${start}
  await setBackend("${name}");
  if (getBackend() !== "${name}") throw new Error("expected backend ${name}, tfjs runs " + getBackend());
  // WebGPU reads asynchronously; specs that read with dataSync are for other backends.
  setTestEnvs([{ name: "${name}", backendName: "${name}", isDataSync: false }]);
  setupTestFilters([{ include: " ${name} " }], () => false);
}
export const declare = () => require(${JSON.stringify(join(core, "tests.js"))});
`;
  await build({
    stdin: { contents, resolveDir: here },
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
  return outfile;
}

/** Runs the suite in as many processes as it takes; a spec in which two end before their time has failed. */
function run(which, file) {
  const log = join(folder, `conformance-${which}.log`);
  const skip = join(folder, `conformance-${which}-skip.json`);
  const specs = new Map();
  const crashed = new Set();
  const leftOut = allLeftOut[which];
  for (let processes = 1; ; processes++) {
    const before = specs.size + crashed.size;
    rmSync(log, { force: true });
    writeFileSync(skip, JSON.stringify({ ids: [...specs.keys()], names: leftOut.map(({ spec }) => spec) }));
    const child = spawnSync(
      process.execPath,
      [join(here, "conformance-run.mjs"), which, file, log, skip, options.only],
      { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" },
    );
    let running;
    let ended = false;
    for (const line of existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : []) {
      const entry = JSON.parse(line);
      ended ||= entry.ended;
      running = entry.started;
      if (entry.done) specs.set(entry.done.id, entry.done);
    }
    if (ended) return { specs: [...specs.values()], leftOut, processes };
    const end = `its process ended with ${child.signal ?? `code ${child.status}`}`;
    if (running && crashed.has(running.id)) specs.set(running.id, { ...running, failure: end });
    else if (running) crashed.add(running.id);
    if (which === "ours" || specs.size + crashed.size === before) {
      throw new Error(`${backends[which].title}: ${end}, in ${running?.name ?? "no spec"}\n${child.stderr}`);
    }
  }
}

/** Failures by their reason, the most frequent first. */
function report({ specs }) {
  const reasons = new Map();
  for (const { name, failure } of specs) {
    if (failure === null) continue;
    const missing = failure.match(/Kernel '(\w+)' not registered/);
    const reason = missing
      ? `kernel ${missing[1]} is missing`
      : failure
          .split("\n")[0]
          .replace(/-?\d[\d.]*(e[-+]?\d+)?/g, "#")
          .slice(0, 90);
    reasons.set(reason, [...(reasons.get(reason) ?? []), name]);
  }
  for (const [reason, names] of [...reasons].sort((a, b) => b[1].length - a[1].length)) {
    const list = names.length < 3 || options.verbose ? `: ${names.join("; ")}` : "";
    console.log(`${String(names.length).padStart(5)}  ${reason}${list}`);
  }
}

if (options.bundle) {
  await bundle("ours", resolve(options.bundle));
  process.exit(0);
}
const results = {};
const rows = [["", "run", "passed", "failed", "left out", "processes"]];
for (const which of chosen) {
  const result = run(which, await bundle(which));
  report(result);
  const failed = result.specs.filter(({ failure }) => failure !== null).length;
  const passed = result.specs.length - failed;
  results[which] = { run: result.specs.length, passed, failed, leftOut: result.leftOut };
  const counts = [result.specs.length, passed, failed, result.leftOut.length, result.processes];
  rows.push([backends[which].title, ...counts.map(String)]);
}
console.log();
for (const row of rows)
  console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(20) : cell.padStart(10))).join(""));
for (const which of chosen) {
  for (const { spec, reason } of results[which].leftOut)
    console.log(`${backends[which].title} leaves out ${spec}: ${reason}`);
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
process.exit(results.ours?.failed ? 1 : 0);
