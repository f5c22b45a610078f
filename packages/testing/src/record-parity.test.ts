import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { recordParity, relativeError } from "./record-parity.js";

afterEach(() => vi.unstubAllEnvs());

it("relativeError is the norm of the difference over the norm", () => {
  expect(relativeError([3, 4.5], [3, 4])).toBeCloseTo(0.1, 12);
  expect(relativeError([0.5, 0], [0, 0])).toBe(0.5);
});

it("writes a line to the file of PARITY_FILE, and nothing without it", () => {
  const folder = mkdtempSync(join(tmpdir(), "parity-"));
  const entry = { name: "f", peer: "g", value: 1e-7 };
  vi.stubEnv("PARITY_FILE", "");
  recordParity(entry);
  vi.stubEnv("PARITY_FILE", join(folder, "parity.jsonl"));
  recordParity(entry);
  recordParity({ ...entry, gradient: 2e-7 });
  const lines = readFileSync(join(folder, "parity.jsonl"), "utf8").trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual([entry, { ...entry, gradient: 2e-7 }]);
  rmSync(folder, { recursive: true });
});
