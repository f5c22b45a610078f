import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { publishOutputs } from "./publish.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-publish-"));
});
afterEach(() => rm(folder, { recursive: true }));

const files = async () => (await readdir(folder, { recursive: true })).sort();

it("publishOutputs moves whole folders, and goes on where it was interrupted", async () => {
  const output = join(folder, "jobs", "output");
  await mkdir(join(output, "encoder"), { recursive: true });
  await mkdir(join(output, "adapter"));
  await writeFile(join(output, "encoder", "config.json"), "{}");
  await writeFile(join(output, "projector.safetensors"), "x");
  await rename(join(output, "adapter"), join(folder, "adapter"));
  await publishOutputs(output, folder);
  await publishOutputs(output, folder);
  expect(await files()).toEqual([
    "adapter",
    "encoder",
    "encoder/config.json",
    "jobs",
    "projector.safetensors",
  ]);
});

it("publishOutputs replaces what a job made before", async () => {
  const output = join(folder, "jobs", "output");
  for (const [at, text] of [
    [join(folder, "encoder"), "old"],
    [join(output, "encoder"), "new"],
  ] as const) {
    await mkdir(at, { recursive: true });
    await writeFile(join(at, "config.json"), text);
  }
  await publishOutputs(output, folder);
  expect(await readFile(join(folder, "encoder/config.json"), "utf8")).toBe("new");
});
