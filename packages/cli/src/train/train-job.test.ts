import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { defaultConfig, type RunConfig, settingsHash } from "../config/run-config.js";
import { type Job, jobFiles } from "../run/jobs.js";
import { trainEncoder } from "./train-job.js";

let run: string;
beforeAll(async () => {
  run = await mkdtemp(join(tmpdir(), "dcr-train-"));
});
afterAll(() => rm(run, { recursive: true }));

it("takes outputs that a job finished before its result only where they are of the run's settings", async () => {
  const job = { kind: "method", method: "dcr", seed: 0 } satisfies Job;
  const config: RunConfig = { ...defaultConfig, encoder: "none", diffusion: "none", images: "none" };
  const files = jobFiles(run, job);
  const train = (change: Partial<RunConfig>) =>
    trainEncoder(job, {
      run,
      config: { ...config, ...change },
      tell() {},
      stopAsked: () => false,
      beforeWrite() {},
      measures: false,
    });
  await mkdir(files.output, { recursive: true });
  const others = `${files.output}: made with other settings than the run has now; put those back, or delete this folder to make it anew`;
  await expect(train({})).rejects.toThrow(others);
  await writeFile(files.outputSettings, `${JSON.stringify(settingsHash(config))}\n`);
  expect(await train({})).toBe(true);
  await expect(train({ enhance: { ...config.enhance, learningRate: 0.9 } })).rejects.toThrow(others);
});
