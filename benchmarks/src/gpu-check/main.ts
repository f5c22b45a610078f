import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { nvidiaCards } from "./nvidia.js";
import { readRows } from "./row-file.js";
import { type Part, type PartEnd, runPart } from "./run-part.js";
import { readSuite } from "./suite.js";
import { type VulkanSettings, vulkanSettings } from "./vulkan-settings.js";

const { out, rehearse } = new Command("gpu-check")
  .description("Checks dcr-js on this machine's GPU, in at most 8 minutes, and writes one JSON file.")
  .option("--out <file>", "what to write", "gpu-check.json")
  .option("--rehearse", "small settings, on an adapter that runs on the CPU", false)
  .parse()
  .opts<{ out: string; rehearse: boolean }>();

/** Where gpu-check.sh unpacked everything; `app` holds the code. */
const app = process.env["DCR_BUNDLE"]!;
const root = join(app, "..");
const scratch = join(process.cwd(), "gpu-check-files");
rmSync(scratch, { recursive: true, force: true });
mkdirSync(scratch, { recursive: true });
const device = rehearse ? "software" : "webgpu";
const deadline = performance.now() + 470_000;
const remaining = () => (deadline - performance.now()) / 1000;
const code = (path: string) => join(app, path);
const file = (name: string) => join(scratch, name);

const result: Record<string, unknown> & { parts: Omit<PartEnd, "output">[] } = {
  date: new Date().toISOString(),
  rehearsal: rehearse,
  version: readFileSync(join(root, "VERSION"), "utf8").trim(),
  machine: {
    cards: nvidiaCards(),
    processor: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
  },
  parts: [],
};
const save = () => writeFileSync(resolve(out), `${JSON.stringify(result, null, 2)}\n`);

/** Finds settings under which Dawn sees the GPU. */
async function findAdapter(): Promise<NodeJS.ProcessEnv | undefined> {
  const { env } = process;
  // A rehearsal takes the driver that the environment names.
  const own = { why: "the environment", env: { LD_LIBRARY_PATH: join(root, "lib") } };
  const candidates: VulkanSettings[] = rehearse
    ? [own]
    : vulkanSettings(join(root, "lib"), { folder: file("vulkan") });
  const attempts: object[] = [];
  result["attempts"] = attempts;
  for (const [i, candidate] of candidates.entries()) {
    const settings = { ...env, ...candidate.env };
    const args = [code("benchmarks/dist/gpu-check/adapter.js"), file(`adapter-${i}.json`), device];
    const { end, output } = await runPart({ name: "adapter", args, limit: 20 }, settings);
    attempts.push({ why: candidate.why, env: candidate.env, end, output });
    const [adapter] = (await readRows(file(`adapter-${i}.json`))) ?? [];
    if (adapter === undefined) continue;
    result["adapter"] = adapter;
    return settings;
  }
  return undefined;
}

/** A step of each size, after one that compiles the shaders; the last one by kernel. */
const step = (n: number, limit: number): Part & { read: () => Promise<unknown> } => ({
  name: `step of N = ${n}`,
  args: [
    code("benchmarks/dist/full-size-step.js"),
    ...["--device", device, "--batch-size", String(n), "--json", file(`step-${n}.json`), "--profile"],
    ...(rehearse ? ["--shapes", "small"] : ["--chunk", "8", "--encoder-micro-batch", "4"]),
    ...(n < 16 && !rehearse ? ["--steps", "2"] : []),
  ],
  limit,
  read: async () => readJson(file(`step-${n}.json`)),
});

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

const enhance = [
  ...["enhance", "--device", device, "--methods", "rec,dcr", "--out", file("run")],
  ...[
    "--encoder",
    code("examples/scenes/models/set-0/clip"),
    "--diffusion",
    code("examples/scenes/models/set-0/diffusion"),
  ],
  ...["--images", code("images"), "--align-accumulation", "1", "--accumulation", "1"],
  ...["--align-batch", rehearse ? "4" : "16", "--batch", rehearse ? "2" : "8"],
  ...["--align-steps", rehearse ? "1" : "50", "--steps", rehearse ? "1" : "50"],
];

const parts: (Part & { key: string; read: () => Promise<unknown> })[] = [
  {
    key: "rows",
    name: "benchmark rows",
    args: [
      code("benchmarks/dist/gpu-check/device-rows.js"),
      ...[file("rows.json"), device, ...(rehearse ? ["matmul 256"] : [])],
    ],
    limit: 90,
    read: () => readRows(file("rows.json")),
  },
  { key: "step4", ...step(rehearse ? 2 : 4, rehearse ? 900 : 70) },
  ...(rehearse ? [] : [{ key: "step8", ...step(8, 90) }]),
  {
    key: "enhance",
    name: "dcr enhance on the scenes' models",
    args: [code("packages/cli/dist/main.js"), ...enhance],
    limit: rehearse ? 300 : 75,
    read: async () => {
      const read = (path: string) => {
        try {
          return readFileSync(join(file("run"), path), "utf8");
        } catch {
          return undefined;
        }
      };
      return { metrics: read("metrics.jsonl"), results: readJson(join(file("run"), "results.json")) };
    },
  },
  {
    key: "suite",
    name: "tfjs-core's operator suite",
    args: [
      code("packages/tensor/scripts/conformance-run.mjs"),
      "ours",
      code("packages/tensor/scripts/conformance-ours.cjs"),
      file("suite.log"),
      code("packages/tensor/scripts/skip.json"),
      rehearse ? "relu" : "",
    ],
    limit: 150,
    read: async () => readSuite(file("suite.log")),
  },
  ...(rehearse ? [] : [{ key: "step16", ...step(16, 200) }]),
];

save();
const env = await findAdapter();
save();
if (!env) {
  console.error(`no GPU was found; ${resolve(out)} says what was tried`);
  process.exit(1);
}
console.log(`adapter: ${(result["adapter"] as { name: string }).name}`);
for (const { key, read, ...part } of parts) {
  // A rehearsal runs on a busy machine's processor, however long it takes.
  const limit = rehearse ? part.limit : Math.min(part.limit, Math.floor(remaining()));
  if (limit < 5) {
    result.parts.push({ name: part.name, seconds: 0, end: "no time was left" });
    continue;
  }
  const { output, ...end } = await runPart({ ...part, limit }, env);
  result.parts.push(end);
  result[key] = await read().catch((error: Error) => ({ error: error.message }));
  if (end.end !== "done") result[`${key}Output`] = output;
  console.log(`${end.name}: ${end.end}, ${end.seconds.toFixed(0)} s`);
  save();
}
console.log(`wrote ${resolve(out)}`);
process.exit();
