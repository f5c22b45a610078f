import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIPModel } from "@dcr-js/dcr";
import { initialize } from "@dcr-js/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readMetrics } from "./run/metrics-file.js";
import type { Results } from "./run/results.js";

/** The built program, as a user runs it. */
const program = fileURLToPath(new URL("../dist/main.js", import.meta.url));

interface Ended {
  code: number | null;
  output: string;
}

/** Runs the program; `until` is asked now and then, and the first time it holds the program gets a Ctrl-C. */
function run(args: string[], until?: () => boolean): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const collect = (text: Buffer) => {
      output += text.toString();
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const timer = setInterval(() => {
      if (!until?.()) return;
      clearInterval(timer);
      child.kill("SIGINT");
    }, 50);
    child.on("exit", (code) => {
      clearInterval(timer);
      resolve({ code, output });
    });
  });
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emoji-run-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("the main job", () => {
  it("gives the same to the last digit when stopped and resumed, and what it promises to write", async () => {
    const few = [
      "--quick",
      "--methods",
      "original,naive,dcr",
      "--align-steps",
      "3",
      "--steps",
      "3",
      "--seed",
      "5",
    ];
    const [whole, stopped] = [join(folder, "whole"), join(folder, "stopped")];
    const first = await run([...few, "--out", whole]);
    expect(first.output).toMatch(/report:/);
    expect(first.code).toBe(0);

    const steps = join(stopped, "jobs", "dcr-seed5", "metrics.jsonl");
    const cut = await run(
      [...few, "--out", stopped],
      () => existsSync(steps) && readFileSync(steps, "utf8") !== "",
    );
    expect(cut.output).toMatch(/--resume/);
    expect(cut.code).toBe(130);
    expect(existsSync(join(stopped, "results.json"))).toBe(false);
    const resumed = await run(["--resume", stopped]);
    expect(resumed.output).toMatch(/report:/);

    const read = (run: string) => JSON.parse(readFileSync(join(run, "results.json"), "utf8")) as Results;
    expect(read(stopped)).toEqual(read(whole));
    const rows = async (run: string) =>
      (await readMetrics(join(run, "metrics.jsonl"))).map(({ time, ...row }) => {
        expect(time).toBeGreaterThan(0);
        return row;
      });
    expect(await rows(stopped)).toEqual(await rows(whole));
    expect((await rows(whole)).map(({ method, stage, step }) => `${method}/${stage}/${step}`)).toEqual(
      ["projector/1", "dcr/2", "naive/2"].flatMap((name) => [0, 1, 2].map((step) => `${name}/${step}`)),
    );

    const { methods, conflict } = read(whole);
    expect(Object.keys(methods).sort()).toEqual(["dcr", "naive", "original"]);
    expect(conflict.naive?.steps).toBe(3);
    const report = readFileSync(join(whole, "report.html"), "utf8");
    expect(report).toMatch(/<svg/);
    expect(report).not.toMatch(/(src|href)="http/);

    await initialize({ device: "wasm" });
    const encoder = await CLIPModel.fromPretrained(join(whole, "jobs", "dcr-seed5", "encoder"));
    expect(encoder.config.projection_dim).toBe(64);
    encoder.dispose();
  }, 600_000);

  it.each([
    [["--methods", "dcr,magic"], /"magic" is none of original, rec, con, naive, dcr/],
    [["--device", "abacus"], /"abacus" is none of/],
    [["--batch", "1"], /at least 2/],
    [["--steps", "many"], /expected an integer/],
    [["--resume", "no-such-folder"], /no-such-folder: no such folder/],
    [["--out", "/dev/null/run"], /\/dev\/null\/run/],
  ])("refuses %j in one line", async (args, message) => {
    const { code, output } = await run(args);
    expect(code).toBe(1);
    expect(output.trim().split("\n")).toHaveLength(1);
    expect(output).toMatch(message);
  });
});
