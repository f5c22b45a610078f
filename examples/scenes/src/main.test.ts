import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** The built program, as a user runs it. */
const program = fileURLToPath(new URL("../dist/main.js", import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scenes-run-"));
});
afterAll(() => rm(folder, { recursive: true }));

// Not "auto": looking for a GPU makes some drivers' libraries write to stderr.
function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, "--quick", "--device", "wasm", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, INIT_CWD: folder },
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text: Buffer) => {
      stdout += text.toString();
    });
    child.stderr.on("data", (text: Buffer) => {
      stderr += text.toString();
    });
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

describe("the main job", () => {
  it("runs the command on scenes, draws what it found, and finds the same again", async () => {
    const few = ["--methods", "original,con", "--align-steps", "1", "--steps", "2", "--seed", "5"];
    const hashes: string[] = [];
    for (const out of ["first", "second"]) {
      const { code, stdout, stderr } = await run(...few, "--out", out);
      expect(stderr).toBe("");
      expect(code).toBe(0);
      expect(stdout).toMatch(/^original +[\d. ]+$/m);
      expect(stdout).toContain("Against original, in percent points with 95 % intervals (one seed");
      expect(stdout).toMatch(
        new RegExp(`^picture: ${out}/trade-off\\.svg\nreport: ${out}/report\\.html$`, "m"),
      );
      const results = readFileSync(join(folder, out, "results.json"), "utf8");
      expect(Object.keys(JSON.parse(results).figures)).toEqual(["original", "con"]);
      hashes.push(results);
    }
    expect(hashes[1]).toBe(hashes[0]);
    const svg = readFileSync(join(folder, "first/trade-off.svg"), "utf8");
    for (const text of ["D, %", "P strict, %", "con"]) expect(svg).toContain(`>${text}</text>`);
  }, 600_000);

  it("refuses timesteps beyond the model's before it writes anything", async () => {
    const { code, stderr } = await run("--timesteps", "300,2000", "--out", "refused");
    expect(stderr).toMatch(/^error: --timesteps: the end must be at most 1000, .*, got 2000\n$/);
    expect(code).toBe(1);
    expect(existsSync(join(folder, "refused"))).toBe(false);
  }, 60_000);
});
