import { cp, mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fixtures } from "../../test/run-command.js";
import { checkModels, pinRevisions, writeModelHashes } from "./model-hashes.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dcr-hashes-"));
  await cp(join(fixtures, "models"), folder, { recursive: true });
});
afterAll(() => rm(folder, { recursive: true }));

it("names a model whose files are others than when the run began", async () => {
  const models = {
    encoder: join(folder, "clip"),
    diffusion: join(folder, "stable-diffusion"),
    variant: null,
  };
  const run = join(folder, "run");
  await mkdir(run);
  await expect(checkModels(run, models)).rejects.toThrow(`${join(run, "models.json")}: not there or damaged`);
  await writeModelHashes(run, models);
  await checkModels(run, models);
  // A folder has no commits.
  expect(await pinRevisions(models)).toEqual({});
  // Files that are no part of a model do not matter.
  await writeFile(join(folder, "clip/README.md"), "x");
  await checkModels(run, models);
  const change = async (name: string) => {
    const file = await open(join(folder, name), "r+");
    const { size } = await file.stat();
    await file.write(Buffer.of(255), 0, 1, size - 1);
    await file.close();
  };
  // The same header and the same size.
  await change("stable-diffusion/unet/diffusion_pytorch_model.safetensors");
  await expect(checkModels(run, models)).rejects.toThrow(
    `--diffusion: ${models.diffusion} has other files than when the run began; put those back, or start another run`,
  );
  await change("clip/model.safetensors");
  await expect(checkModels(run, models)).rejects.toThrow(/^--encoder: /);
});
