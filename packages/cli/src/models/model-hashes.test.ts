import { join } from "node:path";
import { expect, it } from "vitest";
import { fixtures } from "../../test/run-command.js";
import { hashModels, pinRevisions } from "./model-hashes.js";

it("a folder has a hash, and no commit", async () => {
  const of = (encoder: string) => ({
    encoder: join(fixtures, "models", encoder),
    diffusion: join(fixtures, "models/stable-diffusion"),
    variant: null,
  });
  expect(await pinRevisions(of("clip"))).toEqual({});
  const [clip, siglip] = [await hashModels(of("clip")), await hashModels(of("siglip"))];
  expect(clip.encoder).toMatch(/^[0-9a-f]{64}$/);
  expect(siglip.diffusion).toBe(clip.diffusion);
  expect(siglip.encoder).not.toBe(clip.encoder);
});
