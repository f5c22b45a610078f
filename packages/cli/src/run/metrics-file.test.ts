import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type MetricsRow, openMetrics, readMetrics } from "./metrics-file.js";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-metrics-"));
  path = join(folder, "job", "metrics.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

const row = (step: number): MetricsRow => ({
  method: "naïve",
  stage: 2,
  seed: 0,
  step,
  loss: 1 / (step + 3),
  losses: { con: 1, rec: 2 },
  gradNorm: 0.5,
  cosines: { "con/rec": -0.25 },
  time: 0.5,
  at: 1e9,
});

async function write(steps: number): Promise<void> {
  const file = await openMetrics(path, 0);
  for (let step = 0; step < steps; step++) await file.append(row(step));
  await file.flush();
  await file.close();
}

describe("openMetrics", () => {
  it("cuts rows that no checkpoint counts, and goes on after those that it counts", async () => {
    await write(5);
    const file = await openMetrics(path, 3);
    expect(file.rows.map(({ step }) => step)).toEqual([0, 1, 2]);
    await file.append(row(3));
    await file.close();
    expect(await readMetrics(path)).toEqual([0, 1, 2, 3].map(row));
  });

  it.each(['{"method":"na', "\0\0\0\0", "\0\0\n\0\0\n", '{"method":"rec"}\n'])(
    "cuts a damaged tail, %j",
    async (tail) => {
      await write(2);
      const whole = await readFile(path, "utf8");
      await appendFile(path, tail);
      expect(await readMetrics(path)).toEqual([0, 1].map(row));
      await (await openMetrics(path, 2)).close();
      expect(await readFile(path, "utf8")).toBe(whole);
    },
  );

  it("refuses a file that lacks a row which the checkpoint counts", async () => {
    await write(2);
    await expect(openMetrics(path, 3)).rejects.toThrow(/metrics\.jsonl: the row of step 2 is missing/);
    await writeFile(path, [0, 2].map((step) => `${JSON.stringify(row(step))}\n`).join(""));
    await expect(openMetrics(path, 2)).rejects.toThrow(/the row of step 1 is missing/);
  });

  it("a finished job's file must have every row", async () => {
    await write(3);
    expect(await readMetrics(path, 3)).toHaveLength(3);
    const message = (step: number, steps: number) =>
      `${path}: the row of step ${step} is missing, and the job took ${steps}; delete ${dirname(path)} to make the job anew`;
    await expect(readMetrics(path, 4)).rejects.toThrow(message(3, 4));
    await writeFile(path, "");
    await expect(readMetrics(path, 1)).rejects.toThrow(message(0, 1));
    await rm(path);
    await expect(readMetrics(path, 2)).rejects.toThrow(message(0, 2));
  });

  it("refuses damage before the end", async () => {
    await writeFile(join(folder, "m.jsonl"), `${JSON.stringify(row(0))}\nxx\n${JSON.stringify(row(2))}\n`);
    await expect(readMetrics(join(folder, "m.jsonl"))).rejects.toThrow(
      /m\.jsonl: line 2 is damaged; delete .* to make the job anew$/,
    );
  });

  it("has no rows where there is no file", async () => {
    expect(await readMetrics(path)).toEqual([]);
  });
});
