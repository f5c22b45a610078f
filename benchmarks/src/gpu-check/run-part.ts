import { spawn } from "node:child_process";
import { GpuMemory } from "./nvidia.js";

export interface Part {
  name: string;
  /** The arguments after Node on the command line. */
  args: string[];
  /** It is stopped after so many seconds. */
  limit: number;
}

/** How a part ended. */
export interface PartEnd {
  name: string;
  seconds: number;
  /** `"done"`, or why not. */
  end: string;
  /** The most memory in use on the card while it ran, by nvidia-smi. */
  gpuMiB?: number;
  /** The end of what it printed. */
  output: string;
}

const keptOutput = 4000;

/** Runs a part in a process of its own. It never rejects. */
export async function runPart({ name, args, limit }: Part, env: NodeJS.ProcessEnv): Promise<PartEnd> {
  const started = performance.now();
  const memory = new GpuMemory();
  let output = "";
  const end = await new Promise<string>((resolve) => {
    // A group of its own, so that its processes are stopped with it.
    const child = spawn(process.execPath, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text: Buffer) => {
        output = (output + text.toString()).slice(-keptOutput);
      });
    }
    const timer = setTimeout(() => {
      stop(child.pid);
      resolve(`stopped after ${limit} s`);
    }, limit * 1000);
    child.on("error", (error) => resolve(error.message));
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      stop(child.pid);
      resolve(code === 0 ? "done" : `ended with ${signal ?? `exit code ${code}`}`);
    });
  });
  return { name, seconds: (performance.now() - started) / 1000, end, gpuMiB: memory.finish(), output };
}

function stop(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Its whole group has ended.
  }
}
