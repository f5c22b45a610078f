import { rm } from "node:fs/promises";
import { inspect } from "node:util";
import { initialize } from "@dcr-js/tensor";
import { readRunConfig } from "../config/read-config.js";
import { evaluateJob } from "../evaluate/evaluate-job.js";
import { checkEvaluation, writeResult } from "../run/job-result.js";
import { type Job, jobFiles, jobName, listJobs } from "../run/jobs.js";
import { checkInputs } from "../run/run-inputs.js";
import type { JobMessage, WorkPurpose } from "../run/run-jobs.js";
import { registerWorker } from "../run/workers.js";
import { messageOf } from "../shared/message-of.js";
import { type JobContext, trainEncoder, trainProjector, writeUntrainedProjector } from "./train-job.js";

/** A job's process. Its starter tells it to stop, and it tells its starter how far it is. */

let stopping = false;
process.on("message", (message) => {
  if (message === "stop") stopping = true;
});
// Ctrl-C reaches the whole process group, and a system that shuts down tells everyone: the step just done is saved.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    stopping = true;
  });
}
// Without a starter nobody would collect the result.
process.on("disconnect", () => process.exit(1));

const tell = (message: JobMessage) =>
  new Promise<void>((resolve) => {
    if (process.connected) process.send!(message, () => resolve());
    else resolve();
  });

async function work(job: Job, context: JobContext): Promise<JobMessage> {
  const files = jobFiles(context.run, job);
  const trained =
    job.kind === "align"
      ? await trainProjector(job, context)
      : job.method === "original" || (await trainEncoder(job, context));
  if (!trained) return { type: "stopped" };
  const evaluation = job.kind === "align" ? undefined : await evaluateJob(job, context);
  context.beforeWrite();
  await writeResult(files.result, context.config, evaluation);
  if (job.kind === "method") {
    try {
      // After it is written: of two jobs that end at the same time one at least sees the other.
      await checkEvaluation(context.run, context.config, job);
    } catch (error) {
      await rm(files.result);
      throw error;
    }
  }
  await rm(files.checkpoint, { force: true });
  return { type: "done" };
}

const [run, name, starter, purpose] = process.argv.slice(2) as [string, string, string, WorkPurpose];
try {
  const config = await readRunConfig(run);
  const job = listJobs(config).find((candidate) => jobName(candidate) === name)!;
  const files = jobFiles(run, job);
  const beforeWrite = await registerWorker(files.worker, Number(starter));
  beforeWrite();
  // A measurement and a trial keep nothing that other inputs could spoil.
  if (purpose === "whole") await checkInputs(run, config);
  await initialize({ device: config.device });
  const context: JobContext = {
    run,
    config,
    tell,
    stopAsked: () => stopping,
    beforeWrite,
    measures: purpose === "measure",
  };
  if (purpose === "try") await writeUntrainedProjector(job, context);
  const last = await work(job, context);
  await rm(files.worker, { force: true });
  await tell(last);
} catch (error) {
  await tell({ type: "failed", message: messageOf(error).split("\n")[0]!, stack: inspect(error) });
  process.exitCode = 1;
}
if (process.connected) process.disconnect();
