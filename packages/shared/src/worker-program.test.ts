import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { workerProgram } from "./worker-program.js";

it("finds the program beside a compiled module, and none in a bundle", async () => {
  const folder = await mkdtemp(join(tmpdir(), "worker-program-"));
  const module = pathToFileURL(join(folder, "pool.js")).href;
  expect(workerProgram(module, "pipeline/image-worker.js")).toBeUndefined();
  // A bundle in CommonJS has no import.meta.url.
  expect(workerProgram(undefined, "pipeline/image-worker.js")).toBeUndefined();
  const program = join(folder, "image-worker.js");
  await writeFile(program, "");
  expect(workerProgram(module, "pipeline/image-worker.js")).toEqual(pathToFileURL(program));
  await rm(folder, { recursive: true });
});
