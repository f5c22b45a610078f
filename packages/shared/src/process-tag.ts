import { nodeModule } from "./node-modules.js";

/**
 * Names the machine of this process, as far as process ids mean the same there: a container has a space of ids of its own, and may have the
 * machine's name. Node alone.
 */
export function processHost(): string {
  const name = nodeModule("node:os").hostname();
  if (process.platform !== "linux") return name;
  try {
    return `${name}:${nodeModule("node:fs").readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return name;
  }
}

/** This process in the names of its temporary files: a hash of its host, and its process id. Node alone. */
export function processTag(): string {
  const host = nodeModule("node:crypto").createHash("sha256").update(processHost()).digest("hex");
  return `${host.slice(0, 8)}-${process.pid}`;
}

/** The name of a file that `writeFileAtomically` has not put in its place yet: the hash of its writer's host, and the writer's id. */
export const temporaryName = /\.([0-9a-f]{8})-(\d+)\.[0-9a-f-]{36}\.tmp$/;
