import { existsSync } from "node:fs";
import { join } from "node:path";
import { baseOf, isOwnMethod, methodLabel, settingsOf } from "../config/methods.js";
import type { AlignmentLoss, Method, RunConfig } from "../config/run-config.js";

/** One process's work: aligning a projector for a seed, or one method with one seed. */
export type Job =
  | { kind: "align"; label: string; loss: AlignmentLoss; method: Method; seed: number }
  | { kind: "method"; method: Method; seed: number };

/** A job's name in the `method` column of metrics. */
export const jobLabel = (job: Job): string => (job.kind === "align" ? job.label : methodLabel(job.method));

/** Names a job's folder. */
export const jobName = (job: Job): string => `${jobLabel(job).replaceAll(" ", "-")}-seed${job.seed}`;

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
    /** The job's outputs for the user, under a name that says whether they are whole. */
    output: join(folder, "output"),
    unfinishedOutput: join(folder, "output.tmp"),
    /** The settings that the outputs were made with. */
    outputSettings: join(folder, "output.json"),
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
function alignmentOf(method: Method, config: RunConfig): AlignmentLoss {
  const { loss } = settingsOf(method, config).align;
  if (loss !== "own") return loss;
  return baseOf(method) === "dcr" ? "dcr" : "rec";
}

/** All that an alignment depends on beside the run's models and images; methods that agree in it share one. */
function alignmentSettings(method: Method, config: RunConfig): string {
  const loss = alignmentOf(method, config);
  const { align, timesteps, target, localTokens, ...settings } = settingsOf(method, config);
  const { temperature, positives, gradient, augment } = settings;
  const ofDCR = loss === "dcr" ? { temperature, positives, gradient, augment } : {};
  return JSON.stringify({ ...align, loss, timesteps, target, localTokens, ...ofDCR });
}

/**
 * Whether a method that trains has a stage 1. `con` looks at features alone, so that it needs a projector only where an evaluation may look
 * at one; a module may look at anything.
 */
const isAligned = (method: Method, config: RunConfig): boolean =>
  !settingsOf(method, config).endToEnd && (baseOf(method) !== "con" || config.evaluate.length > 0);

/**
 * The alignment that a job starts from; undefined where it starts from none. `original` waits for that of the first method that
 * trains, so that an evaluation can look at a projector too.
 */
export function alignmentJob(job: Job, config: RunConfig): Extract<Job, { kind: "align" }> | undefined {
  if (job.kind === "align") return undefined;
  const trains = (method: Method) => method !== "original";
  const method = trains(job.method) ? job.method : config.methods.find(trains);
  if (method === undefined || !isAligned(method, config)) return undefined;
  const loss = alignmentOf(method, config);
  const own = alignmentSettings(method, config);
  // The run's own settings need no name beside the loss; those of a variant have that of the first variant that shares them.
  const sharing = config.methods.filter(
    (other) => trains(other) && isAligned(other, config) && alignmentSettings(other, config) === own,
  );
  const first = sharing.find((other) => typeof other === "string") ?? sharing[0]!;
  const label = typeof first === "string" ? `align-${loss}` : `align-${loss}-${first.name}`;
  return { kind: "align", label, loss, method: first, seed: job.seed };
}

/** The methods of a run. The encoder as it was is among them where something is evaluated, to compare with. */
export function methodsOf({ methods, evaluate }: Pick<RunConfig, "methods" | "evaluate">): Method[] {
  if (methods.includes("original") || evaluate.length === 0) return methods;
  return ["original", ...methods];
}

/** Every job of a run; an alignment comes before the methods that need it. */
export function listJobs(config: RunConfig): Job[] {
  return config.seeds.flatMap((seed) => {
    const methods = methodsOf(config).map((method): Job => ({ kind: "method", method, seed }));
    const alignments = methods.flatMap((job) => alignmentJob(job, config) ?? []);
    return [...new Map(alignments.map((job) => [job.label, job])).values(), ...methods];
  });
}

/** @throws where two jobs of a run would write the same files, or a module would pass for a method of ours */
export function checkJobNames(config: RunConfig): void {
  for (const method of config.methods) {
    if (typeof method !== "string" || isOwnMethod(method) || !isOwnMethod(methodLabel(method))) continue;
    throw new Error(
      `--methods: ${method}: ${methodLabel(method)} is another method's name; rename the file, or give it a name: { name, method }`,
    );
  }
  const jobs = new Map<string, Job>();
  for (const job of listJobs({ ...config, seeds: [0] })) {
    // Some file systems take names that differ only in case for one.
    const name = jobName(job).toLowerCase();
    const other = jobs.get(name);
    if (other) {
      const names = [other, job].map(
        (each) => `${each.kind === "align" ? "the alignment" : "the method"} ${jobLabel(each)}`,
      );
      throw new Error(
        `--methods: ${names.join(" and ")} would write the same files; give one of them another name`,
      );
    }
    jobs.set(name, job);
  }
}

/**
 * Where the user finds what a method made: the run's folder itself where the run has one method and one seed, else a folder
 * for each.
 */
export function outputFolder(run: string, job: Job, config: Pick<RunConfig, "methods" | "seeds">): string {
  const trained = config.methods.filter((method) => method !== "original");
  return trained.length === 1 && config.seeds.length === 1 ? run : join(run, jobName(job));
}

/** Whether a job has its result. */
export const isDone = (run: string, job: Job): boolean => existsSync(jobFiles(run, job).result);

/** The steps that a job trains. */
export function stepsOf(job: Job, config: RunConfig): number {
  const { align, enhance } = settingsOf(job.method, config);
  if (job.kind === "align") return align.steps;
  return job.method === "original" ? 0 : enhance.steps;
}
