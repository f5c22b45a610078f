import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIPTokenizer, loadStableDiffusion, type StableDiffusion } from "@dcr-js/diffusion";
import { CLIPModel } from "@dcr-js/encoders";
import { initialize } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { loadSprites, type Sprites } from "../scenes/sprites.js";
import { denoisingLosses } from "./denoising-losses.js";
import { factorProbes } from "./factor-probes.js";
import { readRecords } from "./training-records.js";
import { validationScenes } from "./training-scenes.js";
import { vaeFigures } from "./vae-figures.js";
import { zeroShot } from "./zero-shot.js";

const models = fileURLToPath(new URL("../../models", import.meta.url));

describe.each(readRecords(models))("the committed models of $name", (records) => {
  const folder = join(models, records.name);
  let sprites: Sprites;
  let diffusion: StableDiffusion;
  let clip: CLIPModel;

  beforeAll(async () => {
    await initialize({ device: "wasm" });
    sprites = await loadSprites();
    diffusion = await loadStableDiffusion(join(folder, "diffusion"));
    clip = await CLIPModel.fromPretrained(join(folder, "clip"));
    return () => clip.dispose();
  });

  it("take at most 8 MB", () => {
    const bytes = (path: string): number =>
      readdirSync(path, { withFileTypes: true }).reduce((sum, entry) => {
        const inner = join(path, entry.name);
        return sum + (entry.isDirectory() ? bytes(inner) : statSync(inner).size);
      }, 0);
    expect(bytes(folder)).toBeLessThanOrEqual(8e6);
  });

  it("CLIP names scenes as its record says, and the styles of its training best", async () => {
    const before = tf.memory().numTensors;
    const stated = records.clip.figures.zeroShot;
    const found = zeroShot(clip, await CLIPTokenizer.fromPretrained(join(folder, "clip")), sprites);
    expect(tf.memory().numTensors).toBe(before);
    // One scene of 1,000 more or fewer, where rounding turns a tie.
    expect(Math.abs(found.seenStyles - stated.seenStyles)).toBeLessThanOrEqual(0.0011);
    expect(Math.abs(found.heldOutStyle - stated.heldOutStyle)).toBeLessThanOrEqual(0.0011);
    expect(found.seenStyles).toBeGreaterThan(0.7);
  });

  it("CLIP's patches know the position, and its feature does not, as its record says", async () => {
    const before = tf.memory().numTensors;
    const stated = records.clip.figures;
    const found = await factorProbes(clip, sprites, ["position"]);
    expect(tf.memory().numTensors).toBe(before);
    expect(found.feature.position).toBeCloseTo(stated.feature.position, 2);
    expect(found.patches.position).toBeCloseTo(stated.patches.position, 2);
    expect(found.patches.position).toBeGreaterThan(found.feature.position + 0.2);
  });

  it("the auto-encoder restores scenes as its record says", () => {
    const before = tf.memory().numTensors;
    const found = vaeFigures(diffusion.vae, validationScenes(sprites, 500));
    expect(tf.memory().numTensors).toBe(before);
    expect(found.psnr).toBeCloseTo(records.vae.figures.psnr, 2);
  });

  it("the denoiser heeds its caption as its record says", () => {
    const before = tf.memory().numTensors;
    const stated = records.denoiser.figures.byTimestep.find(({ timestep }) => timestep === 500)!;
    const [found] = denoisingLosses(diffusion, sprites, [500]).byTimestep;
    expect(tf.memory().numTensors).toBe(before);
    for (const caption of ["right", "wrong", "empty"] as const)
      expect(found[caption]).toBeCloseTo(stated[caption], 4);
    expect(found.right).toBeLessThan(found.empty);
    expect(found.empty).toBeLessThan(found.wrong);
  });
});
