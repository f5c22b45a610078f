import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

/** The built program, as `npm run export` starts it. */
const program = fileURLToPath(new URL("../dist/export.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "export-"));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) =>
  spawnSync(process.execPath, [program, ...args], {
    encoding: "utf8",
    env: { ...process.env, INIT_CWD: folder },
  });

it("writes where the user is, and says what", () => {
  const { stdout, stderr, status } = run(
    "--out",
    "scenes",
    "--format",
    "webdataset",
    "--count",
    "3",
    "--seed",
    "5",
  );
  expect([stdout, stderr, status]).toEqual([`${join(folder, "scenes")}: 3 scenes of test, seed 5\n`, "", 0]);
  expect(readdirSync(join(folder, "scenes"))).toEqual(["00000.tar"]);
});

it.each([
  [["--format", "webdataset"], /--out/],
  [["--out", "x", "--format", "parquet"], /--format .*parquet/],
  [["--out", "x", "--format", "folder", "--colour", "1"], /unknown option '--colour'/],
  [["--out", "x", "--format", "folder", "--count", "many"], /--count <n>' argument 'many' is invalid/],
  [["--out", "x", "--format", "mmvp", "--count", "20"], /^error: export: count must be a multiple of 16/],
])("refuses %j on one line", (args, message) => {
  const { stderr, status } = run(...args);
  expect(stderr.trim()).toMatch(message);
  expect(stderr.trim().split("\n").length).toBe(1);
  expect(status).toBe(1);
});
