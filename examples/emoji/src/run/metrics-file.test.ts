import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { appendMetrics, type MetricsRow, readMetrics, truncateMetrics } from "./metrics-file.js";

const row = (step: number): MetricsRow => ({
  method: "naive",
  stage: 2,
  seed: 0,
  step,
  loss: 0.1 + step / 3,
  losses: { con: 1 / 3, rec: 1e-9 },
  gradNorm: 2,
  time: 0.5,
});

describe("metrics.jsonl", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "emoji-metrics-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("on resume keeps the steps before the checkpoint, digit for digit, and drops half a line", async () => {
    const path = join(folder, "metrics.jsonl");
    for (const step of [0, 1, 2, 3]) await appendMetrics(path, row(step));
    const whole = await readFile(path, "utf8");
    await appendFile(path, '{"method":"naive","sta');
    expect(await readMetrics(path)).toEqual([0, 1, 2, 3].map(row));
    await truncateMetrics(path, 2);
    expect(await readMetrics(path)).toEqual([0, 1].map(row));
    for (const step of [2, 3]) await appendMetrics(path, row(step));
    expect(await readFile(path, "utf8")).toBe(whole);
  });

  it("is empty where no step was taken, and named where it cannot be written", async () => {
    const path = join(folder, "none.jsonl");
    expect(await readMetrics(path)).toEqual([]);
    await truncateMetrics(path, 0);
    expect(await readMetrics(path)).toEqual([]);
    await expect(appendMetrics(folder, row(0))).rejects.toThrow(`${folder}: could not be written (EISDIR`);
  });
});
