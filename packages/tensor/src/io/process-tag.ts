import { nodeModule } from "../shared/node-modules.js";

/** This process in the names of its temporary files: machine and process id, which means something on its own machine only. */
export function processTag(): string {
  const name = nodeModule("node:os").hostname();
  const machine = nodeModule("node:crypto").createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${machine}-${process.pid}`;
}
