import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runCommandLine } from "./program.js";

/** The built program, as a user runs it. */
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const dcr = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });

it("runCommandLine refuses what is no command line, and options that it does not know", async () => {
  for (const args of [undefined, "doctor", [3]]) {
    await expect(runCommandLine(args as never)).rejects.toThrow(
      /^runCommandLine: args must be a list of texts, got/,
    );
  }
  await expect(runCommandLine(["doctor"], { invokation: "x" } as never)).rejects.toThrow(
    'runCommandLine: unknown option "invokation"',
  );
});

describe("dcr", () => {
  it.each([
    [["docto"], /^error: unknown command 'docto' \(Did you mean doctor\?\)\n$/],
    [["evaluate", "--encoder", "x"], /^error: --on: missing\n$/],
    [["doctor", "--jsno"], /^error: unknown option '--jsno' \(Did you mean --json\?\)\n$/],
  ])("refuses %j in one line", (args, message) => {
    const { status, stdout, stderr } = dcr(...args);
    expect(stderr).toMatch(message);
    expect([status, stdout]).toEqual([1, ""]);
  });

  it("refuses an option that is given twice, in each form of it", () => {
    const twice = ["plan", "--steps", "3", "--steps=5"];
    expect(dcr(...twice)).toMatchObject({
      status: 1,
      stderr: "error: option '--steps <n>' is given twice\n",
    });
    expect(dcr("plan", "--seed", "1", "--seeds", "2").stderr).toMatch(/^error: option .* is given twice\n$/);
    expect(dcr("evaluate", "--on", "a", "--on", "b").stderr).toMatch(
      /^error: option '--on <what>' is given twice\n$/,
    );
  });

  it.runIf(process.platform !== "win32")("ends in silence when nobody reads its output", async () => {
    const child = spawn(process.execPath, [main, "--help"], { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    await once(child, "close");
    expect(stderr).toBe("");
  });

  it.runIf(process.platform === "linux")("tells of an output that is full", () => {
    const full = openSync("/dev/full", "w");
    const { status, stderr } = spawnSync(process.execPath, [main, "plan", "--help"], {
      encoding: "utf8",
      stdio: ["ignore", full, "pipe"],
    });
    closeSync(full);
    expect(stderr).toMatch(/^error: the standard output: ENOSPC[^\n]*\n$/);
    expect(status).toBe(1);
  });

  it("prints help and version", () => {
    expect(dcr("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("doctor") });
    expect(dcr("doctor", "--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("Example:") });
    expect(dcr("--version").stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("plan takes every option of enhance but the one that goes on with a run", () => {
    const options = (command: string) =>
      [...dcr(command, "--help").stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, option]) => option);
    const plan = new Set(options("plan"));
    expect(options("enhance").length).toBeGreaterThan(40);
    expect(options("enhance").filter((option) => !plan.has(option))).toEqual(["--resume"]);
  });

  it("doctor finds WebAssembly and what reads images", () => {
    const { status, stdout } = dcr("doctor", "--json");
    const findings = JSON.parse(stdout) as { name: string; state: string }[];
    const state = (name: string) => findings.find((finding) => finding.name === name)?.state;
    expect([state("Node"), state("WebAssembly"), state("sharp")]).toEqual(["ok", "ok", "ok"]);
    expect(status).toBe(0);
  });
});
