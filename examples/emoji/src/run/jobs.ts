import { join } from "node:path";
import type { MethodName, RunConfig } from "./config.js";

/** One process's work: aligning the projector for a seed, or one method with one seed. */
export interface Job {
  kind: "align" | MethodName;
  seed: number;
}

export const jobName = ({ kind, seed }: Job) => `${kind}-seed${seed}`;

/** The files of a job, inside the run's folder. */
export function jobFiles(run: string, job: Job) {
  const folder = join(run, "jobs", jobName(job));
  return {
    folder,
    /** One object a step, appended. */
    metrics: join(folder, "metrics.jsonl"),
    /** The stage's state, every few steps. */
    checkpoint: join(folder, "checkpoint.safetensors"),
    /** The trained projector, of `align` jobs. */
    projector: join(folder, "projector.safetensors"),
    /** Features of the D-Ability images and their classes, for the report's map. */
    features: join(folder, "features.safetensors"),
    /** Originals above their reconstructions. */
    reconstructions: join(folder, "reconstructions.png"),
    /** The enhanced encoder, a Hugging Face folder. */
    encoder: join(folder, "encoder"),
    /** Written last: the job is done. */
    result: join(folder, "result.json"),
  };
}

/** Every job of a run; each seed's alignment comes before its methods, which need it. */
export function listJobs({ methods, seeds }: RunConfig): Job[] {
  // The longest first, so that the last ones to run are short.
  const cost: Record<MethodName, number> = { dcr: 4, naive: 3, rec: 2, con: 1, original: 0 };
  const ordered = [...methods].sort((a, b) => cost[b] - cost[a]);
  return seeds.flatMap((seed) => [
    { kind: "align" as const, seed },
    ...ordered.map((kind) => ({ kind, seed })),
  ]);
}
