import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Job, jobFiles } from "./jobs.js";
import { removeLeftovers } from "./leftovers.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-leftovers-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("removeLeftovers removes what this program leaves when it is killed, and nothing of others", async () => {
  const job: Job = { kind: "method", method: "dcr", seed: 0 };
  const files = jobFiles(folder, job);
  await mkdir(join(files.unfinishedOutput, "encoder"), { recursive: true });
  await writeFile(join(files.unfinishedOutput, "encoder", "config.json"), "{}");
  const temporary = "0123abcd-77.01234567-89ab-cdef-0123-456789abcdef.tmp";
  await writeFile(`${files.checkpoint}.${temporary}`, "x");
  await writeFile(join(folder, `config.yaml.${temporary}`), "x");
  await writeFile(files.metrics, "");
  // The user's own, and what `dcr evaluate --out` is just writing.
  await writeFile(join(folder, "notes.tmp"), "");
  await mkdir(join(folder, "evaluation"));
  await writeFile(join(folder, "evaluation", `results.json.${temporary}`), "x");
  await removeLeftovers(folder, [job]);
  const left = (await readdir(folder, { recursive: true })).filter((name) => name.includes("."));
  expect(left.sort()).toEqual([
    join("evaluation", `results.json.${temporary}`),
    join("jobs", "dcr-seed0", "metrics.jsonl"),
    "notes.tmp",
  ]);
});
