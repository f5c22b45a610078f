import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { defaultConfig, type RunConfig } from "../config/run-config.js";
import { checkResults, writeResult } from "./job-result.js";
import { type Job, jobFiles, listJobs } from "./jobs.js";

const row = (step: number) => ({
  ...{ method: "align-rec", stage: 1, seed: 0, step, loss: 1, losses: { rec: 1 }, gradNorm: 1 },
  ...{ time: 0.1, at: 1 },
});
const config = {
  ...defaultConfig,
  ...{ encoder: "e", diffusion: "d", images: "i", methods: ["dcr"], seeds: [0] },
  align: { ...defaultConfig.align, steps: 2 },
} as RunConfig;
const [align] = listJobs(config) as [Job, Job];
let run: string;
let files: ReturnType<typeof jobFiles>;

beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), "dcr-results-"));
  onTestFinished(() => rm(run, { recursive: true }));
  files = jobFiles(run, align);
  await mkdir(files.folder, { recursive: true });
  await writeResult(files.result, config);
  await writeFile(files.metrics, `${JSON.stringify(row(0))}\n${JSON.stringify(row(1))}\n`);
  await writeFile(files.projector, "weights");
});

it("checkResults takes finished jobs that are whole, and does not ask for the others", async () => {
  await expect(checkResults(run, config)).resolves.toBeUndefined();
});

it("checkResults names what is missing of a finished job, and what to delete", async () => {
  const anew = `delete ${files.folder} to make the job anew`;
  await rm(files.projector);
  await expect(checkResults(run, config)).rejects.toThrow(
    `${files.projector}: not there, and the job is done; ${anew}`,
  );
  await writeFile(files.metrics, `${JSON.stringify(row(0))}\n`);
  await expect(checkResults(run, config)).rejects.toThrow(
    `${files.metrics}: the row of step 1 is missing, and the job took 2; ${anew}`,
  );
  await rm(files.metrics);
  await mkdir(files.metrics);
  await expect(checkResults(run, config)).rejects.toThrow(
    new RegExp(`^${files.metrics}: could not be read \\(EISDIR.*\\); ${anew}$`),
  );
  await writeFile(files.result, "{}");
  await expect(checkResults(run, config)).rejects.toThrow(
    `${files.result}: the job's result is damaged; delete this file to make it anew`,
  );
});

it("checkResults refuses a job that was done with other settings", async () => {
  await expect(checkResults(run, { ...config, temperature: 0.2 })).rejects.toThrow(
    `${files.result}: the job was done with other settings than `,
  );
});
