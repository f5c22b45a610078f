import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { checkTable, recordParity, relativeError } from "./record-parity.js";

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

it("checks the README's table, where there is one", () => {
  const readme = "<!-- parity -->\n| `f` | g | 1e-7 | 2e-6 |\n| `h` | g | 0 |  |\n<!-- /parity -->";
  const entry = { name: "f", peer: "g", value: 1.4e-7, gradient: 1e-6 };
  checkTable(entry, readme);
  checkTable({ name: "h", peer: "g", value: 0 }, readme);
  checkTable({ ...entry, name: "x" }, "no table");
  checkTable({ ...entry, name: "x" }, undefined);
  expect(() => checkTable({ ...entry, name: "x" }, readme)).toThrow(
    "table of agreement is stale (npm run parity writes it): no row for x and g",
  );
  expect(() => checkTable({ ...entry, value: 1e-6 }, readme)).toThrow("f and g: 0.000001 is above 1e-7");
  expect(() => checkTable({ ...entry, gradient: 1e-5 }, readme)).toThrow(
    "f and g: 0.00001 is above 0.000002",
  );
  expect(() => checkTable({ ...entry, value: Number.NaN }, readme)).toThrow("NaN is above 1e-7");
  expect(() => checkTable({ name: "h", peer: "g", value: 1e-9 }, readme)).toThrow("is above 0");
});
