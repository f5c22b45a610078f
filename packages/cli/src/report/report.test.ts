import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialize, Random, writeFileAtomically } from "@dcr-js/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig, type RunConfig } from "../config/run-config.js";
import type { Evaluation } from "../evaluate/evaluation.js";
import { writeResult } from "../run/job-result.js";
import { type Job, jobFiles, jobLabel, listJobs } from "../run/jobs.js";
import { openMetrics } from "../run/metrics-file.js";
import { courses } from "./charts.js";
import { writeReport } from "./report.js";
import { gatherMetrics, type Results, readDevice, standsOut, writeResults } from "./results.js";
import { resultsText } from "./score-table.js";

const base: RunConfig = {
  ...defaultConfig,
  encoder: "/models & more",
  diffusion: "sd",
  images: "photos",
  methods: ["original", "rec", "dcr"],
  seeds: [0, 1],
  evaluate: ["./own.mjs"],
  // As writeRows has them.
  align: { ...defaultConfig.align, steps: 3 },
  enhance: { ...defaultConfig.enhance, steps: 3 },
};
let folder: string;
beforeAll(async () => {
  await initialize({ device: "cpu" });
  folder = await mkdtemp(join(tmpdir(), "dcr-report-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** NMI is 50, 51 and 52 % in every seed; ACC is 40 % but for dcr, whose gain is all spread. */
function evaluation(method: number, seed: number): Evaluation {
  const random = new Random(seed);
  return {
    figures: { "D-Ability": { NMI: 0.5 + method / 100, ACC: method === 2 ? 0.3 + seed / 2 : 0.4 } },
    patterns: [{ measure: "P image", pattern: "Text", accuracy: 0.25 + seed / 2, count: 4 }],
    features: {
      values: Array.from({ length: 20 }, () => Array.from(random.uniformArray(3))),
      labels: Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? "bird" : "tool")),
    },
    pictures: [{ title: "Painted <here>", png: Buffer.from(`of ${method}`).toString("base64") }],
  };
}

/** A finished run. */
async function finishedRun(name: string, config: RunConfig): Promise<string> {
  const run = join(folder, name);
  for (const job of listJobs(config)) {
    const files = jobFiles(run, job);
    await mkdir(files.folder, { recursive: true });
    if (job.kind === "align" || job.method !== "original") await writeRows(files.metrics, job);
    if (job.kind === "align") continue;
    const found = evaluation(base.methods.indexOf(job.method), job.seed);
    await writeResult(files.result, config, config.evaluate.length > 0 ? found : { figures: {} });
  }
  return run;
}

async function writeRows(path: string, job: Job): Promise<void> {
  const file = await openMetrics(path, 0);
  for (let step = 0; step < 3; step++) {
    const two = job.kind === "method" && job.method === "dcr";
    await file.append({
      method: jobLabel(job),
      stage: job.kind === "align" ? 1 : 2,
      seed: job.seed,
      step,
      loss: 1 / (step + 1),
      losses: { a: 1 },
      gradNorm: 2,
      ...(two && {
        norms: { a: 1, b: 3 },
        cosines: { "a/b": (step - 0.5) / 2 },
        magnitudeSimilarities: { "a/b": 0.6 },
        weights: { a: 0.5 + step, b: 320 + 2.5 * step },
      }),
      time: Math.random(),
      at: 1e9 + Math.random(),
    });
  }
  await file.close();
}

const device = { backend: "wasm", kind: "wasm", reason: "a < b" } as const;
const close = (mean: number, std: number) => ({
  mean: expect.closeTo(mean, 10),
  std: expect.closeTo(std, 10),
});

describe("writeResults", () => {
  it("has means, spreads over seeds, changes against original, and conflicts", async () => {
    const run = await finishedRun("results", base);
    const { results } = await writeResults(run, base, device);
    // The sample standard deviation of 30 and 80 %.
    const std = Math.SQRT1_2 / 2;
    expect(results.figures.dcr).toEqual({ "D-Ability": { NMI: close(0.52, 0), ACC: close(0.55, std) } });
    expect(results.changes).toEqual({
      rec: { "D-Ability": { NMI: close(0.01, 0), ACC: close(0, 0) } },
      dcr: { "D-Ability": { NMI: close(0.02, 0), ACC: close(0.15, std) } },
    });
    expect(standsOut(results.changes.dcr!["D-Ability"]!.ACC!, [0, 1])).toBe(false);
    expect(standsOut(results.changes.dcr!["D-Ability"]!.NMI!, [0, 1])).toBe(true);
    expect(standsOut({ mean: 1, std: 0 }, [0])).toBe(false);
    // Cosines -0.25, 0.25 and 0.75 in each of two seeds.
    expect(results.conflict).toEqual([
      {
        method: "dcr",
        pair: "a/b",
        negativeShare: expect.closeTo(1 / 3, 10),
        meanCosine: expect.closeTo(0.25, 10),
        steps: 6,
        meanNorms: { a: 1, b: 3 },
        meanWeights: { a: 1.5, b: 322.5 },
      },
    ]);
    expect(results.patterns.map(({ accuracy }) => accuracy)).toEqual([0.5, 0.5, 0.5]);
    expect(resultsText(results)).toMatch(/^dcr +52\.0 ±0\.0 +55\.0 ±35\.4$/m);
    expect(resultsText(results)).toContain("norms a 1.0, b 3.0; the aggregator's mean weights a 1.5, b 323");
    // Times do not count.
    const again = await writeResults(await finishedRun("again", base), base, device);
    expect(again.results.metricsSha256).toBe(results.metricsSha256);
    // The same features before and after.
    expect(results.drift).toEqual({ rec: close(0, 0), dcr: close(0, 0) });
    const file = JSON.parse(await readFile(join(run, "results.json"), "utf8")) as Results;
    expect(file).toEqual(results);
    expect(await readDevice(run)).toEqual(device);
  });
});

it("takes more rows than a call takes arguments", async () => {
  const config = { ...base, methods: ["rec"], seeds: [0], evaluate: [] };
  const run = join(folder, "long");
  const [job] = listJobs(config) as [Job];
  const files = jobFiles(run, job);
  await mkdir(files.folder, { recursive: true });
  const row = {
    method: "align-rec",
    stage: 1,
    seed: 0,
    loss: 1,
    losses: { rec: 1 },
    gradNorm: 2,
    time: 1,
    at: 1,
  };
  const count = 130_001;
  const lines = Array.from({ length: count }, (_, step) => JSON.stringify({ ...row, step }));
  await writeFileAtomically(files.metrics, `${lines.join("\n")}\n`);
  const rows = await gatherMetrics(run, config);
  expect(rows).toHaveLength(count);
  expect(await courses(rows, "loss", "loss")).toContain(">align-rec, stage 1</text>");
});

it("names evaluations that cannot be compared, and a result that is damaged", async () => {
  const run = await finishedRun("odd", base);
  const { result } = jobFiles(run, { kind: "method", method: "dcr", seed: 1 });
  await writeResult(result, base, { ...evaluation(2, 1), figures: {} });
  await expect(writeResults(run, base, device)).rejects.toThrow(
    "the evaluation of original-seed0 has the figure D-Ability: NMI, and that of dcr-seed1 has not",
  );
  await writeResult(result, { ...base, temperature: 0.5 }, evaluation(2, 1));
  await expect(writeResults(run, base, device)).rejects.toThrow(
    `${result}: the job was done with other settings than ${join(run, "config.yaml")} has now; put those back`,
  );
  await writeFileAtomically(result, "{");
  await expect(writeResults(run, base, device)).rejects.toThrow(`${result}: the job's result is damaged`);
});

it("readDevice names results that are not there, and those of something else", async () => {
  const path = join(folder, "results.json");
  await expect(readDevice(folder)).rejects.toThrow(`${path} is not there`);
  for (const text of ["{", '{ "figures": {} }', '{ "device": { "kind": "wasm" } }']) {
    await writeFileAtomically(path, text);
    await expect(readDevice(folder)).rejects.toThrow(`${path} is not the results of a run`);
  }
});

describe("writeReport", () => {
  it("has everything in one page that loads nothing", async () => {
    const run = await finishedRun("whole", base);
    const html = await readFile(
      (await writeReport(run, base, await writeResults(run, base, device))).page,
      "utf8",
    );
    expect(html).not.toMatch(/<(script|link|iframe|object|use)\b|@import|url\(|(src|href)="(?!data:)/);
    expect(html).toContain(
      '<td>52.0 <small>± 0.0</small><div class="up">+2.0 <small>± 0.0</small></div></td>' +
        '<td>55.0 <small>± 35.4</small><div class="same">+15.0 <small>± 35.4</small></div></td>',
    );
    for (const text of [
      "Text (4)",
      "cosine of the two gradients",
      "gradient norm",
      "bird",
      "tool",
      "align-rec, stage 1",
    ]) {
      expect(html).toContain(`>${text}</text>`);
    }
    expect(html).toContain(Buffer.from("of 1").toString("base64"));
    for (const text of ["/models &amp; more", "wasm: a &lt; b", "Painted &lt;here&gt;"])
      expect(html).toContain(text);
  });

  it("leaves out what there is none of, and colours no change of a single seed", async () => {
    const one = { ...base, methods: ["original", "rec"], seeds: [1] };
    const run = await finishedRun("one", one);
    const html = await readFile(
      (await writeReport(run, one, await writeResults(run, one, device))).page,
      "utf8",
    );
    expect(html).not.toMatch(/class="(up|down)"|±|Gradient conflict/);
    expect(html).toContain('<div class="same">+1.0</div>');
    const bare = { ...base, methods: ["rec"], evaluate: [] };
    const trained = await finishedRun("bare", bare);
    const page = await readFile(
      (await writeReport(trained, bare, await writeResults(trained, bare, device))).page,
      "utf8",
    );
    expect(page).not.toMatch(/Evaluation, before and after|Features|pattern/);
  });
});
