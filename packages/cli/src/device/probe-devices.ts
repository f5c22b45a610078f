import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The result of looking for a device. */
export type Probe =
  | {
      found: true;
      name: string;
      /** Why this one of several adapters. */
      reason?: string;
      features?: string[];
      /** Bytes of the largest tensor. */
      maxBufferSize?: number;
      /** Bytes that a kernel sees of a tensor at once. */
      maxStorageBufferBindingSize?: number;
    }
  | { found: false; why: string };

export type ProbedKind = "webgpu" | "software" | "wasm";

const program = fileURLToPath(new URL("./probe-process.js", import.meta.url));

/** Looks for a device, in a process of its own. */
export function probeDevice(kind: ProbedKind): Promise<Probe> {
  return new Promise((resolve) => {
    const child = fork(program, [kind], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    let complaint = "";
    child.stderr?.on("data", (text: Buffer) => {
      complaint = (complaint + text.toString()).slice(-400);
    });
    child.on("message", (probe: Probe) => resolve(probe));
    child.on("error", (error) => resolve({ found: false, why: error.message }));
    child.on("exit", (code, signal) =>
      resolve({
        found: false,
        why: `looking for it ended the process with ${signal ?? `exit code ${code}`}; ${complaint.trim()}`,
      }),
    );
  });
}
