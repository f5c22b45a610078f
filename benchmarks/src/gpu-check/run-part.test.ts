import { describe, expect, it } from "vitest";
import { runPart } from "./run-part.js";

const part = (script: string, limit = 30) =>
  runPart({ name: "part", args: ["-e", script], limit }, process.env);

describe("runPart", () => {
  it("gives the end of what a part printed", async () => {
    expect(await part('console.log("printed")')).toMatchObject({ end: "done", output: "printed\n" });
  });

  it("says how a part failed, and does not fail itself", async () => {
    expect((await part("process.exit(3)")).end).toBe("ended with exit code 3");
    expect((await part('process.kill(process.pid, "SIGTERM")')).end).toBe("ended with SIGTERM");
  });

  it("stops a part that goes on beyond its limit, with the processes that it started", async () => {
    const script = `const { spawn } = require("node:child_process");
      console.log(spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]).pid);
      setInterval(() => {}, 1000);`;
    const { end, output } = await part(script, 2);
    expect(end).toBe("stopped after 2 s");
    const pid = Number(output);
    expect(pid).toBeGreaterThan(0);
    await expect.poll(() => isRunning(pid)).toBe(false);
  });
});

/** A process that has ended and that nobody has waited for counts as ended. */
async function isRunning(pid: number): Promise<boolean> {
  const { readFile } = await import("node:fs/promises");
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !stat.includes(") Z ");
}
