import { join } from "node:path";
import type { Alignment, MethodName, RunConfig } from "./config.js";

/** One process's work: aligning a projector for a seed, or one method with one seed. */
export interface Job {
  kind: `align-${Alignment}` | MethodName;
  seed: number;
}

/**
 * The loss that aligns a method's projector: by default the one that the method itself puts on predictions. Stage 2 then
 * starts where the projector can do no more, and what the gradient still asks for is the encoder's to give; see docs/method.md.
 */
export function alignmentOf(method: MethodName, { align }: Pick<RunConfig, "align">): Alignment {
  if (align.loss !== "own") return align.loss;
  return method === "dcr" ? "dcr" : "rec";
}

/** The loss of an `align` job; of others undefined. */
export const alignmentLoss = ({ kind }: Job): Alignment | undefined =>
  kind === "align-rec" ? "rec" : kind === "align-dcr" ? "dcr" : undefined;

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

/** The alignment that a method's job starts from. */
export const alignmentJob = (method: MethodName, seed: number, config: Pick<RunConfig, "align">): Job => ({
  kind: `align-${alignmentOf(method, config)}`,
  seed,
});

/** Every job of a run; each seed's alignments come before its methods, which need them. */
export function listJobs(config: RunConfig): Job[] {
  const { methods, seeds } = config;
  // The longest first, so that the last ones to run are short.
  const cost: Record<MethodName, number> = { dcr: 4, naive: 3, rec: 2, con: 1, original: 0 };
  const ordered = [...methods].sort((a, b) => cost[b] - cost[a]);
  const alignments = [...new Set(ordered.map((method) => alignmentOf(method, config)))];
  return seeds.flatMap((seed) => [
    ...alignments.map((loss): Job => ({ kind: `align-${loss}`, seed })),
    ...ordered.map((kind) => ({ kind, seed })),
  ]);
}
