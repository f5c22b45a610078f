import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { isProcessRunning } from "./is-process-running.js";

it("tells a process that runs from one that has ended", () => {
  expect(isProcessRunning(process.pid)).toBe(true);
  expect(isProcessRunning(spawnSync(process.execPath, ["--version"]).pid)).toBe(false);
});
