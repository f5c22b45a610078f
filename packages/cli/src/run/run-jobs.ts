import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { baseOf, isOwnMethod } from "../config/methods.js";
import type { RunConfig } from "../config/run-config.js";
import { alignmentJob, isDone, type Job, jobFiles, jobName, listJobs } from "./jobs.js";
import { createProgress, type JobProgress, type ProgressReport } from "./progress.js";
import { RunStopped, watchStopSignals } from "./stop-signals.js";
import { endOrphan } from "./workers.js";

/** A worker's messages to the process that started it. */
export type JobMessage =
  | ({ type: "progress" } & ProgressReport)
  | { type: "log"; text: string }
  | { type: "done" }
  | { type: "stopped" }
  | { type: "failed"; message: string; stack?: string };

/**
 * What workers do: the whole of each job; only its steps, to measure them, and no encoders; or the evaluations of the encoder as it is, once, to try
 * them before anything is trained.
 */
export type WorkPurpose = "whole" | "measure" | "try";

/** How a worker ended that was not done. */
class JobFailed extends Error {}

const workerProgram = fileURLToPath(new URL("../train/job-process.js", import.meta.url));

/** A worker that was asked to stop has this many times its longest step, and a minute at least. */
const patience = { steps: 4, leastMs: 60_000 };

/**
 * Runs every job that has no result yet, each in a process of its own, `atOnce` of them at the same time. A job is a function of
 * the configuration and its seed only, so their order does not matter to the numbers.
 *
 * After Ctrl-C, SIGTERM, SIGHUP, or when nobody reads the output any more, every worker saves the step just done; a second
 * Ctrl-C, or a worker that does not answer, ends the workers at once.
 *
 * @throws {RunStopped} when the run was stopped; another error where a job has no result in the end
 */
export async function runJobs(
  run: string,
  config: RunConfig,
  { atOnce = 1, purpose = "whole" }: { atOnce?: number; purpose?: WorkPurpose } = {},
): Promise<void> {
  const tries = purpose === "try";
  const all = listJobs(config).filter(({ method }) => !tries || method === "original");
  for (const job of all) await endOrphan(jobFiles(run, job).worker);
  const waiting = all.filter((job) => !isDone(run, job)).sort((a, b) => placeOf(a) - placeOf(b));
  const workers = new Map<Job, Worker>();
  const shownName = (job: Job) => (tries ? "--evaluate" : jobName(job));
  const progress = createProgress(waiting.map(shownName));
  let stopped: NodeJS.Signals | undefined;
  const stopAll = () => {
    for (const worker of workers.values()) worker.stop();
  };
  const unwatch = watchStopSignals({
    stop: (signal) => {
      stopped = signal;
      progress.log("stopping: each job finishes its step and saves it; once more to end at once");
      stopAll();
    },
    end: () => {
      for (const worker of workers.values()) worker.kill();
    },
  });
  const isReady = (job: Job) => {
    const first = alignmentJob(job, config);
    return tries || !first || isDone(run, first);
  };
  const running = new Map<Job, Promise<void>>();
  let failure: unknown;
  try {
    for (;;) {
      const next = waiting.findIndex(isReady);
      if (!failure && !stopped && running.size < atOnce && next >= 0) {
        const [job] = waiting.splice(next, 1) as [Job];
        const name = shownName(job);
        const worker = startWorker(run, job, { name, progress: progress.job(name), purpose });
        workers.set(job, worker);
        const ended = worker.ended
          .catch((error: unknown) => {
            failure ??= error;
            // The others save what they have.
            stopAll();
          })
          .finally(() => {
            running.delete(job);
            workers.delete(job);
          });
        running.set(job, ended);
      } else if (running.size > 0) await Promise.race(running.values());
      else break;
    }
  } finally {
    progress.close();
    unwatch();
  }
  if (stopped) throw new RunStopped(stopped);
  if (failure) throw failure;
  const undone = all.find((job) => !isDone(run, job));
  if (undone) throw new JobFailed(`${jobName(undone)}: ${jobFiles(run, undone).result} is not there`);
}

/** Methods by how long they take, the longest first. */
const byLength: readonly string[] = ["dcr", "naive", "rec", "con"];

/** The longest jobs start first, so that in the end no core waits for one that began late. */
function placeOf(job: Job): number {
  if (job.kind === "align") return 0;
  // It trains nothing: where its evaluation fails on the trained projector, that shows before the methods have trained.
  if (job.method === "original") return 1;
  const method = baseOf(job.method);
  // A module may take as long as any.
  return isOwnMethod(method) ? 3 + byLength.indexOf(method) : 2;
}

interface Worker {
  ended: Promise<void>;
  /** Asks the worker to save and end; ends it where it does not answer. */
  stop(): void;
  kill(): void;
}

function startWorker(
  run: string,
  job: Job,
  { name, progress, purpose }: { name: string; progress: JobProgress; purpose: WorkPurpose },
): Worker {
  const child = fork(workerProgram, [run, jobName(job), String(process.pid), purpose], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let last: JobMessage | undefined;
  let complaint = "";
  let longestStep = 0;
  let heard = performance.now();
  let timer: NodeJS.Timeout | undefined;
  let asked = false;
  // A user's module may print.
  createInterface({ input: child.stdout! }).on("line", (line) => progress.log(line));
  child.stderr?.on("data", (text: Buffer) => {
    complaint = (complaint + text.toString()).slice(-2000);
  });
  child.on("message", (message: JobMessage) => {
    const now = performance.now();
    longestStep = Math.max(longestStep, now - heard);
    heard = now;
    if (message.type === "log") return progress.log(message.text);
    last = message;
    if (message.type === "progress") progress.show(message);
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on("error", (error) => reject(new JobFailed(`${name}: ${error.message}`, { cause: error })));
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      progress.end(last?.type === "done" || last?.type === "stopped" ? last.type : "ended");
      if (last?.type === "done" || (last?.type === "stopped" && asked)) return resolve();
      if (last?.type === "stopped") {
        return reject(
          new JobFailed(`${name}: its process was told to stop, and not by this one; it saved its last step`),
        );
      }
      if (last?.type === "failed") {
        const error = new JobFailed(`${name}: ${last.message}`);
        if (last.stack) error.stack = last.stack;
        return reject(error);
      }
      reject(new JobFailed(`${name}: ${describeDeath(code, signal, complaint)}`));
    });
  });
  return {
    ended,
    stop: () => {
      asked = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      tell(child, "stop");
      timer ??= setTimeout(
        () => child.kill("SIGKILL"),
        Math.max(patience.leastMs, patience.steps * longestStep),
      );
    },
    kill: () => child.kill("SIGKILL"),
  };
}

function tell(child: ChildProcess, message: string): void {
  // A worker that is ending has closed its channel.
  if (child.connected) child.send(message, () => {});
}

/** A worker that could not say what happened: the system ended it, or the engine below JavaScript failed. */
function describeDeath(code: number | null, signal: NodeJS.Signals | null, complaint: string): string {
  const line = complaint.split("\n").find((text) => /error|fatal|abort|panic|memory/i.test(text));
  const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
  const memory =
    signal === "SIGKILL" || /heap out of memory|Allocation failed/.test(complaint)
      ? "; it may have run out of memory: see `dcr plan`"
      : "";
  return `its process ${how}${memory}${line ? ` (${line.trim()})` : ""}`;
}
