import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { isProcessRunning } from "../shared/is-process-running.js";
import { processHost } from "../shared/process-tag.js";

/** Names one process among all that ever ran: a process id alone is given out again after its process ends. */
export const processIdentitySchema = z.strictObject({
  pid: z.int().positive(),
  /** The machine, and on Linux the container on it. */
  host: z.string().nonempty(),
  /** When the process started, in a form of the operating system; null where it cannot be read. */
  started: z.string().nullable(),
});

export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

/** The identity of a process on this host, by default of this process. */
export function identifyProcess(pid: number = process.pid): ProcessIdentity {
  return { pid, host: processHost(), started: startTime(pid) };
}

/**
 * Whether a process still runs.
 *
 * @returns `"unknown"` for a process of another host or container
 */
export function isRunning({ pid, host, started }: ProcessIdentity): boolean | "unknown" {
  if (host !== processHost()) return "unknown";
  if (!isProcessRunning(pid)) return false;
  const now = startTime(pid);
  if (now === "zombie") return false;
  return started === null || now === null || now === started;
}

/** When a process started; "zombie" for one that has ended and is not yet collected by its parent. */
function startTime(pid: number): string | null {
  if (process.platform === "linux") return startTimeOnLinux(pid);
  const [command, ...args] =
    process.platform === "win32"
      ? ["powershell.exe", "-NoProfile", "-Command", `(Get-Process -Id ${pid}).StartTime.Ticks`]
      : ["ps", "-o", "lstart=", "-p", String(pid)];
  try {
    const printed = execFileSync(command!, args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      // ps prints local time in the words of the locale; another shell must read the same.
      env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
    });
    return printed.trim() || null;
  } catch {
    return null;
  }
}

function startTimeOnLinux(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in brackets, which may hold spaces and brackets of its own.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return "zombie";
    // Field 22 counts clock ticks since the machine booted; boots are told apart by their id.
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}:${fields[19]}`;
  } catch {
    return null;
  }
}
