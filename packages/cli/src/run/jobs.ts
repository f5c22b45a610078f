import { basename, extname, join } from "node:path";
import { type AlignmentLoss, methodNames, type RunConfig } from "../config/run-config.js";

/** One process's work: aligning a projector for a seed, or one method with one seed. */
export type Job =
  | { kind: "align"; loss: AlignmentLoss; seed: number }
  | { kind: "method"; method: string; seed: number };

/** Whether a method is one of ours, and not a user's module. */
export const isOwnMethod = (method: string): method is (typeof methodNames)[number] =>
  (methodNames as readonly string[]).includes(method);

/** How a method is called in tables and file names: a module by its file's name. */
export const methodLabel = (method: string): string =>
  isOwnMethod(method) ? method : basename(method, extname(method));

/** What `method` is called in metrics. */
export const jobLabel = (job: Job): string =>
  job.kind === "align" ? `align-${job.loss}` : methodLabel(job.method);

export const jobName = (job: Job): string => `${jobLabel(job)}-seed${job.seed}`;

/** The files of a job, inside the run's folder. */
export function jobFiles(run: string, job: Job) {
  const folder = join(run, "jobs", jobName(job));
  return {
    folder,
    /** One object a step, appended. */
    metrics: join(folder, "metrics.jsonl"),
    /** TensorBoard's form of it. */
    events: join(folder, "events.out.tfevents.0.dcr"),
    /** The stage's state. */
    checkpoint: join(folder, "checkpoint.safetensors"),
    /** The trained projector, of alignments. */
    projector: join(folder, "projector.safetensors"),
    /** What the job gives to the user, under a name that says whether it is whole. */
    output: join(folder, "output"),
    unfinishedOutput: join(folder, "output.tmp"),
    /** The process that works on the job. */
    worker: join(folder, "worker.json"),
    /** Written last: the job is done. */
    result: join(folder, "result.json"),
  };
}

/**
 * The loss that aligns a method's projector. With `own` stage 2 starts where the projector can do no more, and what its
 * gradient still asks for is the encoder's to give; see docs/method.md.
 */
export function alignmentOf(method: string, { align }: Pick<RunConfig, "align">): AlignmentLoss {
  if (align.loss !== "own") return align.loss;
  return method === "dcr" ? "dcr" : "rec";
}

/**
 * The alignment that a job starts from; undefined where it starts from none. `original` waits for that of the first method that
 * trains, so that an evaluation can look at a projector too.
 */
export function alignmentJob(
  job: Job,
  config: Pick<RunConfig, "methods" | "align" | "endToEnd">,
): Job | undefined {
  if (job.kind === "align" || config.endToEnd) return undefined;
  const method = job.method === "original" ? config.methods.find((name) => name !== "original") : job.method;
  if (method === undefined) return undefined;
  return { kind: "align", loss: alignmentOf(method, config), seed: job.seed };
}

/** The methods of a run. The encoder as it was is among them where something is evaluated, to compare with. */
export function methodsOf({ methods, evaluate }: Pick<RunConfig, "methods" | "evaluate">): string[] {
  if (methods.includes("original") || evaluate.length === 0) return methods;
  return ["original", ...methods];
}

/** Every job of a run; an alignment comes before the methods that need it. */
export function listJobs(
  config: Pick<RunConfig, "methods" | "evaluate" | "seeds" | "align" | "endToEnd">,
): Job[] {
  const jobs = new Map<string, Job>();
  for (const seed of config.seeds) {
    const methods = methodsOf(config).map((method): Job => ({ kind: "method", method, seed }));
    for (const job of methods) {
      const first = alignmentJob(job, config);
      if (first) jobs.set(jobName(first), first);
    }
    for (const job of methods) jobs.set(jobName(job), job);
  }
  return [...jobs.values()];
}

/**
 * Where the user finds what a method made: the run's folder itself where the run has one method and one seed, else a folder
 * for each.
 */
export function outputFolder(run: string, job: Job, config: Pick<RunConfig, "methods" | "seeds">): string {
  const trained = config.methods.filter((method) => method !== "original");
  return trained.length === 1 && config.seeds.length === 1 ? run : join(run, jobName(job));
}
