import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { writeFileAtomically } from "@dcr-js/tensor";
import { z } from "zod";
import { configPath } from "../config/read-config.js";
import { type RunConfig, settingsHash } from "../config/run-config.js";
import { type Evaluation, evaluationSchema } from "../evaluate/evaluation.js";
import { checkSameForm } from "../evaluate/evaluation-form.js";
import { messageOf } from "../shared/message-of.js";
import { isDone, type Job, jobFiles, jobName, listJobs, stepsOf } from "./jobs.js";
import { readMetrics } from "./metrics-file.js";

/** A job that trains a method, or measures `original`. */
export type MethodJob = Extract<Job, { kind: "method" }>;

const resultSchema = z.strictObject({
  /** Hash of the settings that the job was done with. */
  settings: z.string(),
  /** The evaluations' figures, where the job is a method. */
  evaluation: evaluationSchema.optional(),
});

/** Writes the file that says that a job is done. */
export async function writeResult(path: string, config: RunConfig, evaluation?: Evaluation): Promise<void> {
  const result: z.infer<typeof resultSchema> = { settings: settingsHash(config), evaluation };
  await writeFileAtomically(path, `${JSON.stringify(result, null, 2)}\n`);
}

const damaged = (path: string, cause?: unknown) =>
  new Error(`${path}: the job's result is damaged; delete this file to make it anew`, { cause });

/** @throws naming the file where it is damaged, or of other settings than the run has now */
async function readResult(run: string, config: RunConfig, job: Job): Promise<z.infer<typeof resultSchema>> {
  const { result: path } = jobFiles(run, job);
  let found: z.infer<typeof resultSchema>;
  try {
    found = resultSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    throw damaged(path, error);
  }
  if (found.settings === settingsHash(config)) return found;
  throw new Error(
    `${path}: the job was done with other settings than ${configPath(run)} has now; put those back, or start another run`,
  );
}

/**
 * Checks, before the other jobs are trained, that finished jobs have the run's settings and all files that the report and other jobs read.
 *
 * @throws naming the file that is missing, damaged or of other settings
 */
export async function checkResults(run: string, config: RunConfig): Promise<void> {
  for (const job of listJobs(config)) {
    if (!isDone(run, job)) continue;
    await readResult(run, config, job);
    const { folder, metrics, projector } = jobFiles(run, job);
    await readMetrics(metrics, stepsOf(job, config));
    if (job.kind === "align" && !existsSync(projector)) {
      throw new Error(`${projector}: not there, and the job is done; delete ${folder} to make the job anew`);
    }
  }
}

/** Reads the evaluation of a finished job. @throws naming the file where it is damaged, or of other settings */
export async function readEvaluation(run: string, config: RunConfig, job: MethodJob): Promise<Evaluation> {
  const { evaluation } = await readResult(run, config, job);
  if (evaluation) return evaluation;
  throw damaged(jobFiles(run, job).result);
}

/** Compares a finished job's evaluation with that of another finished job. @throws where they cannot be compared, saying what to do */
export async function checkEvaluation(run: string, config: RunConfig, job: MethodJob): Promise<void> {
  const other = listJobs(config).find(
    (each): each is MethodJob =>
      each.kind === "method" && jobName(each) !== jobName(job) && isDone(run, each),
  );
  if (!other) return;
  const named = async (each: MethodJob) => ({
    job: jobName(each),
    evaluation: await readEvaluation(run, config, each),
  });
  try {
    checkSameForm(await named(other), await named(job));
  } catch (error) {
    const { result } = jobFiles(run, other);
    throw new Error(`${messageOf(error)}; delete ${result} to evaluate ${jobName(other)} anew`, {
      cause: error,
    });
  }
}
