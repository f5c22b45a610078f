import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expectClose } from "@dcr-js/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultSettings, type RunConfig } from "./config.js";
import type { Evaluation } from "./evaluate.js";
import { jobFiles } from "./jobs.js";
import { appendMetrics } from "./metrics-file.js";
import { type Results, resultsTable, standsOut, writeResults } from "./results.js";

const config: RunConfig = {
  ...defaultSettings(true),
  methods: ["original", "naive"],
  seeds: [0, 1, 2],
  device: "wasm",
  models: "/models",
  evaluate: "reserved",
};
const device = { kind: "wasm", backend: "wasm", reason: "asked for" } as unknown as Results["device"];

/** All figures 0.5 but the two given. */
function evaluation(nmi: number, image: number): Evaluation {
  const scores = { nmi, acc: 0.5, ari: 0.5, knn: 0.5 };
  return {
    D: { ...scores, bySet: { emoji: scores, mnist: scores } },
    P: { text: 0.5, image, byPattern: { Text: { text: 0.5, image, count: 2 } } },
    retention: { imageToText: 0.5, crossStyle: 0.5 },
  };
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emoji-results-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A finished run: NMI and P image of each seed by method, and what a step took. */
async function finishedRun(name: string, time: number, loss = 1): Promise<{ results: Results }> {
  const run = join(folder, name);
  const figures = {
    original: [
      [0.1, 0.5],
      [0.3, 0.5],
      [0.5, 0.5],
    ],
    naive: [
      [0.2, 0.6],
      [0.4, 0.5],
      [0.6, 0.4],
    ],
  };
  for (const kind of ["original", "naive"] as const) {
    for (const seed of config.seeds) {
      const files = jobFiles(run, { kind, seed });
      await mkdir(files.folder, { recursive: true });
      const [nmi, image] = figures[kind][seed];
      await writeFile(files.result, JSON.stringify(evaluation(nmi, image)));
    }
  }
  for (const [seed, cosine] of [-0.5, 0.25, -0.25].entries()) {
    const norms = { con: 2 + seed, rec: 1 };
    const losses = { con: loss, rec: 0 };
    const row = {
      method: "naive",
      stage: 2 as const,
      seed,
      step: 0,
      loss,
      losses,
      gradNorm: 1,
      norms,
      cosine,
    };
    await appendMetrics(jobFiles(run, { kind: "naive", seed }).metrics, { ...row, time: time + seed });
  }
  return writeResults(run, config, device);
}

describe("writeResults", () => {
  it("has means and sample standard deviations over seeds, and of the changes seed by seed", async () => {
    const { results } = await finishedRun("by-hand", 1);
    const numbers = ({ mean, std }: { mean: number; std: number }) => [mean, std];
    const tight = { absolute: 1e-12 };
    expectClose(numbers(results.table.original!.nmi), [0.3, 0.2], tight);
    expectClose(numbers(results.table.naive!.nmi), [0.4, 0.2], tight);
    // Every seed gained 0.1, though seeds differ by twice as much.
    expectClose(numbers(results.changes.naive!.nmi), [0.1, 0], tight);
    expectClose(numbers(results.changes.naive!.image), [0, 0.1], tight);
    expect(results.changes.original).toBeUndefined();
    expectClose(numbers(results.table.naive!.D), [(0.4 + 1.5) / 4, 0.05], tight);
    expectClose(numbers(results.table.naive!.both), [((0.4 + 1.5) / 4 + 0.5) / 2, 0], tight);
    expectClose(numbers(results.methods.naive!.P.byPattern.Text.image), [0.5, 0.1], tight);
    expect(results.conflict).toEqual({
      naive: { negativeShare: 2 / 3, meanCosine: -0.5 / 3, steps: 3, meanNorms: { con: 3, rec: 1 } },
    });
    const table = resultsTable(results);
    expect(table).toMatch(/naive +40\.0 ±20\.0 +50\.0 ±0\.0/);
    expect(table).toMatch(/naive: gradient cosine negative in 66\.7 % of 3 steps/);
  });

  it("has a hash of the metrics that their times do not change, and a loss does", async () => {
    const hashes = await Promise.all([
      finishedRun("a", 1),
      finishedRun("b", 7),
      finishedRun("c", 1, 1 + Number.EPSILON),
    ]);
    const [first, slower, other] = hashes.map(({ results }) => results.metricsSha256);
    expect(slower).toBe(first);
    expect(other).not.toBe(first);
  });
});

describe("standsOut", () => {
  it("needs more than the spread, and more than one seed", () => {
    expect(standsOut({ mean: -0.2, std: 0.1 }, [0, 1])).toBe(true);
    expect(standsOut({ mean: 0.1, std: 0.2 }, [0, 1])).toBe(false);
    expect(standsOut({ mean: 0, std: 0 }, [0, 1])).toBe(false);
    expect(standsOut({ mean: 0.5, std: 0 }, [0])).toBe(false);
  });
});
