import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { writeFileAtomically } from "@dcr-js/tensor";
import { identifyProcess, isRunning, processIdentitySchema } from "./process-identity.js";

/**
 * Makes this process known as a job's worker, before it writes anything else. A worker that outlives its starter is found by
 * the file, see {@link endOrphan}.
 *
 * @param path of the file @param starter process id of the starter, as the starter told it: by now this process may have another parent
 * @returns a check to be made before each write: it throws where the starter has ended
 */
export async function registerWorker(path: string, starter: number): Promise<() => void> {
  const check = () => {
    // An orphan is given to another parent, on Windows to none. Whoever takes the run over may write by now.
    if (process.ppid === starter && process.connected !== false) return;
    throw new Error("the process that started this one has ended");
  };
  check();
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomically(path, `${JSON.stringify(identifyProcess())}\n`);
  return check;
}

/** Ends the worker of a starter that has ended, which may still compute. Only for the owner of the run's lock. */
export async function endOrphan(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const worker = parse(await readFile(path, "utf8"));
  // Without its time of start, another process may have its id by now.
  if (worker && worker.started !== null && isRunning(worker) === true) {
    process.kill(worker.pid, "SIGKILL");
    while (isRunning(worker) === true) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await rm(path, { force: true });
}

function parse(text: string) {
  try {
    return processIdentitySchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
