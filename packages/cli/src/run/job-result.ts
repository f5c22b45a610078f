import { readFile } from "node:fs/promises";
import type { RunConfig } from "../config/run-config.js";
import { type Evaluation, evaluationSchema } from "../evaluate/evaluation.js";
import { checkSameForm } from "../evaluate/evaluation-form.js";
import { isDone, type Job, jobFiles, jobName, listJobs } from "./jobs.js";

/** A job that trains a method, or measures `original`. */
export type MethodJob = Extract<Job, { kind: "method" }>;

/** Reads the evaluation of a finished job. @throws naming the file where it is damaged */
export async function readEvaluation(run: string, job: MethodJob): Promise<Evaluation> {
  const { result } = jobFiles(run, job);
  try {
    return evaluationSchema.parse(JSON.parse(await readFile(result, "utf8")));
  } catch (error) {
    throw new Error(`${result}: the job's result is damaged; delete this file to make it anew`, {
      cause: error,
    });
  }
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
    evaluation: await readEvaluation(run, each),
  });
  try {
    checkSameForm(await named(other), await named(job));
  } catch (error) {
    const { result } = jobFiles(run, other);
    throw new Error(`${(error as Error).message}; delete ${result} to evaluate ${jobName(other)} anew`, {
      cause: error,
    });
  }
}
