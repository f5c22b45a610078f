import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The built program, as a user runs it. */
export const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));

/** Tiny models of the real form, and what else the tests read. */
export const fixtures = fileURLToPath(new URL("../fixtures", import.meta.url));

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end.
 *
 * @param command the program and its arguments
 * @param options `cwd`; `env`: variables besides this process's own; `user`: the id of the user and the group it runs as; `act`: called now and
 * then until it returns true
 */
export function run(
  [program, ...args]: readonly [string, ...string[]],
  {
    cwd,
    env,
    user,
    act,
  }: {
    cwd: string;
    env?: Record<string, string>;
    user?: number;
    act?: (child: ChildProcess) => boolean;
  },
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      ...(user !== undefined && { uid: user, gid: user }),
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text: Buffer) => {
      stdout += text.toString();
    });
    child.stderr.on("data", (text: Buffer) => {
      stderr += text.toString();
    });
    const timer = setInterval(() => {
      if (act?.(child)) clearInterval(timer);
    }, 20);
    child.on("close", (code, signal) => {
      clearInterval(timer);
      resolve({ code, signal, stdout, stderr });
    });
  });
}
