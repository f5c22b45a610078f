import type { Method, RunConfig } from "../config/run-config.js";
import { alignmentJob, type Job, jobFiles, listJobs, stepsOf } from "../run/jobs.js";
import { readMetrics } from "../run/metrics-file.js";
import { runJobs } from "../run/run-jobs.js";
import { inTemporaryRun } from "./temporary-run.js";

/** How long a job's steps take. */
export interface MeasuredJob {
  job: Job;
  /** All steps of the job. */
  steps: number;
  /** The time of one step. The first step, which also compiles and fills caches, counts only where there is no other. */
  secondsPerStep: number;
  seconds: number;
}

/**
 * Runs a few steps of each job in a temporary folder, which holds projectors and checkpoints for that long, and no encoders. A cache of latents is
 * neither read nor filled.
 */
export async function measureSteps(config: RunConfig, steps: number): Promise<MeasuredJob[]> {
  const few: RunConfig = {
    ...config,
    methods: config.methods.map((method) => withSteps(method, steps)),
    seeds: [config.seeds[0]!],
    align: { ...config.align, steps },
    enhance: { ...config.enhance, steps },
    evaluate: [],
    latentCache: null,
    tensorboard: false,
  };
  return inTemporaryRun(few, async (folder) => {
    await runJobs(folder, few, { purpose: "measure" });
    const measured: MeasuredJob[] = [];
    for (const job of listJobs({ ...config, seeds: few.seeds })) {
      const method = withSteps(job.method, steps);
      const ran: Job = { kind: "method", method, seed: job.seed };
      const rows = await readMetrics(
        jobFiles(folder, job.kind === "align" ? alignmentJob(ran, few)! : ran).metrics,
      );
      if (rows.length === 0) continue;
      const later = rows.length > 1 ? rows.slice(1) : rows;
      const secondsPerStep = later.reduce((sum, { time }) => sum + time, 0) / later.length;
      const total = stepsOf(job, config);
      measured.push({ job, steps: total, secondsPerStep, seconds: secondsPerStep * total });
    }
    return measured;
  });
}

/** A variant's own numbers of steps override the run's. */
function withSteps(method: Method, steps: number): Method {
  if (typeof method === "string") return method;
  const { align, enhance } = method;
  return {
    ...method,
    ...(align && { align: { ...align, steps } }),
    ...(enhance && { enhance: { ...enhance, steps } }),
  };
}
