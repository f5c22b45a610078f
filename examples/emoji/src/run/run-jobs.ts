import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { MultiBar, Presets, type SingleBar } from "cli-progress";
import type { RunConfig } from "./config.js";
import type { JobMessage } from "./job-process.js";
import { alignmentJob, type Job, jobFiles, jobName, listJobs } from "./jobs.js";

/** The user stopped the run; it can be resumed. */
export class RunStopped extends Error {}

/** The library's own cannot say that a time is not known yet. */
function timeLeft(seconds: unknown): string {
  if (typeof seconds !== "number") return "?";
  return seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

/**
 * Runs every job that has no result yet, as many at once as the machine has cores (at most two, to bound memory), each
 * in a process of its own. Every job is a function of the configuration and its seed alone, so their order does not
 * matter to the numbers.
 *
 * @throws {RunStopped} after Ctrl-C, when every job has written its checkpoint.
 */
export async function runJobs(run: string, config: RunConfig): Promise<void> {
  const done = (job: Job) => existsSync(jobFiles(run, job).result);
  const waiting = listJobs(config).filter((job) => !done(job));
  const children = new Set<ChildProcess>();
  const bars = new MultiBar(
    {
      format: "{name} {bar} {value}/{total} {phase} | loss {loss} | {rate} | {eta_formatted} left",
      stream: process.stdout,
      hideCursor: true,
      noTTYOutput: !process.stdout.isTTY,
      notTTYSchedule: 15_000,
      etaBuffer: 20,
      barsize: 24,
      formatTime: timeLeft,
    },
    Presets.shades_classic,
  );
  let stopped = false;
  const stop = () => {
    if (stopped) return;
    stopped = true;
    bars.log("stopping: each job finishes its step and writes a checkpoint\n");
    for (const child of children) child.send("stop");
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);

  const runOne = (job: Job) =>
    new Promise<void>((resolve, reject) => {
      const child = fork(
        fileURLToPath(new URL("./job-process.js", import.meta.url)),
        [run, job.kind, String(job.seed)],
        {
          stdio: ["ignore", "ignore", "pipe", "ipc"],
        },
      );
      children.add(child);
      let bar: SingleBar | undefined;
      let began = 0;
      let first = 0;
      let last: JobMessage | undefined;
      let complaint = "";
      child.stderr?.on("data", (text: Buffer) => {
        complaint = (complaint + text.toString()).slice(-2000);
      });
      child.on("message", (message: JobMessage) => {
        last = message;
        if (message.type !== "progress") return;
        const { done: value, total, phase, loss } = message;
        if (!bar) {
          bar = bars.create(total, value, { name: jobName(job).padEnd(15), phase, loss: "-", rate: "-" });
          began = performance.now();
          first = value;
        }
        const rate = (value - first) / ((performance.now() - began) / 1000);
        const at = phase === "training" ? value : bar.getTotal();
        bar.update(at, {
          phase,
          ...(loss === undefined ? {} : { loss: loss.toFixed(4) }),
          ...(phase === "training" && rate > 0 ? { rate: `${rate.toFixed(2)} steps/s` } : {}),
        });
      });
      child.on("exit", (code, signal) => {
        children.delete(child);
        bar?.update({ phase: last?.type === "done" ? "done" : (last?.type ?? "ended") });
        bar?.stop();
        if (last?.type === "done") resolve();
        else if (last?.type === "stopped" || stopped) reject(new RunStopped());
        else if (last?.type === "failed") reject(new Error(`${jobName(job)}: ${last.message}`));
        else
          reject(new Error(`${jobName(job)}: its process ended with ${signal ?? code}; ${complaint.trim()}`));
      });
    });

  const running = new Map<Job, Promise<void>>();
  let failure: unknown;
  const limit = Math.min(2, Math.max(1, cpus().length));
  try {
    while ((waiting.length > 0 && !failure && !stopped) || running.size > 0) {
      const ready = waiting.findIndex(
        ({ kind, seed }) =>
          kind === "align-rec" || kind === "align-dcr" || done(alignmentJob(kind, seed, config)),
      );
      if (!failure && !stopped && running.size < limit && ready >= 0) {
        const [job] = waiting.splice(ready, 1);
        const task = runOne(job)
          .catch((error: unknown) => {
            failure ??= error;
            // One failure ends the run; the others keep what they have.
            if (!(error instanceof RunStopped)) for (const child of children) child.send("stop");
          })
          .finally(() => running.delete(job));
        running.set(job, task);
        continue;
      }
      await Promise.race(running.values());
    }
  } finally {
    bars.stop();
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
  if (failure) throw failure;
  if (stopped) throw new RunStopped();
}
