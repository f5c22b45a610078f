import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/** The built program, as a user runs it. */
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const dcr = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });

describe("dcr", () => {
  it.each([
    [["docto"], /^error: unknown command 'docto' \(Did you mean doctor\?\)\n$/],
    [["doctor", "--jsno"], /^error: unknown option '--jsno' \(Did you mean --json\?\)\n$/],
  ])("refuses %j in one line", (args, message) => {
    const { status, stdout, stderr } = dcr(...args);
    expect(stderr).toMatch(message);
    expect([status, stdout]).toEqual([1, ""]);
  });

  it("prints help and version", () => {
    expect(dcr("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("doctor") });
    expect(dcr("doctor", "--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("Example:") });
    expect(dcr("--version").stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("doctor finds WebAssembly and what reads images", () => {
    const { status, stdout } = dcr("doctor", "--json");
    const findings = JSON.parse(stdout) as { name: string; state: string }[];
    const state = (name: string) => findings.find((finding) => finding.name === name)?.state;
    expect([state("Node"), state("WebAssembly"), state("sharp")]).toEqual(["ok", "ok", "ok"]);
    expect(status).toBe(0);
  });
});
