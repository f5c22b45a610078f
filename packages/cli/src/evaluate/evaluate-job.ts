import { join } from "node:path";
import { resolveDiffusion, resolveEncoder } from "../models/resolve-models.js";
import type { Job } from "../run/jobs.js";
import { alignmentJob, jobFiles } from "../run/jobs.js";
import type { JobContext } from "../train/train-job.js";
import { evaluateEncoder } from "./evaluate-encoder.js";
import type { Evaluation } from "./evaluation.js";
import { loadWholeEncoder } from "./loaded-encoder.js";

/** Evaluates what a job made: the enhanced encoder, or for `original` the encoder as it was. */
export async function evaluateJob(
  job: Extract<Job, { kind: "method" }>,
  { run, config, tell }: JobContext,
): Promise<Evaluation> {
  if (config.evaluate.length === 0) return { figures: {} };
  tell({ type: "progress", phase: "evaluating" });
  const { output } = jobFiles(run, job);
  const folder = job.method === "original" ? await resolveEncoder(config) : join(output, "encoder");
  const loaded = await loadWholeEncoder(folder);
  const first = alignmentJob(job, config);
  const projector =
    job.method === "original"
      ? first && jobFiles(run, first).projector
      : join(output, "projector.safetensors");
  try {
    return await evaluateEncoder(config.evaluate, {
      ...loaded,
      seed: job.seed,
      ...(projector && { projector }),
      diffusion: await resolveDiffusion(config),
    });
  } finally {
    loaded.dispose();
  }
}
