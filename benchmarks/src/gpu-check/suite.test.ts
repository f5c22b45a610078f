import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readSuite } from "./suite.js";

const folder = mkdtempSync(join(tmpdir(), "suite-"));
afterAll(() => rmSync(folder, { recursive: true }));
const log = join(folder, "suite.log");
const write = (...entries: object[]) =>
  writeFileSync(log, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));

const specs = [
  { started: { name: "add" } },
  { done: { name: "add", failure: null } },
  { started: { name: "mul" } },
  { done: { name: "mul", failure: "expected 1" } },
];

describe("readSuite", () => {
  it("counts what passed and names what failed", () => {
    write(...specs, { ended: true });
    expect(readSuite(log)).toEqual({
      run: 2,
      passed: 1,
      ended: true,
      running: undefined,
      failures: [{ name: "mul", failure: "expected 1" }],
    });
  });

  it("names the spec in which the process was stopped, and drops a line that was not written in full", () => {
    write(...specs, { started: { name: "conv2d" } });
    writeFileSync(log, '{"done": {"na', { flag: "a" });
    expect(readSuite(log)).toMatchObject({ run: 2, ended: false, running: "conv2d" });
  });

  it("gives nothing where nothing was written", () => {
    expect(readSuite(join(folder, "none.log"))).toBeUndefined();
  });
});
