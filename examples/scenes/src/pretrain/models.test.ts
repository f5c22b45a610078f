import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIPModel } from "@dcr-js/dcr";
import { CLIPTokenizer, loadStableDiffusion, type StableDiffusion } from "@dcr-js/diffusion";
import { initialize } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { type EmojiData, loadEmoji } from "../data/emoji.js";
import type { Retrieval } from "../evaluate/retrieval.js";
import { evaluateClip } from "./clip.js";
import { evaluateUNet, type UNetFigures } from "./unet.js";
import { evaluateVae, type VaeFigures } from "./vae.js";

const models = fileURLToPath(new URL("../../models", import.meta.url));
const record = <T>(part: string) =>
  JSON.parse(readFileSync(join(models, "training", `${part}.json`), "utf8")) as { seed: number; figures: T };

describe("the committed models", () => {
  let emoji: EmojiData;
  let diffusion: StableDiffusion;

  beforeAll(async () => {
    await initialize({ device: "wasm" });
    emoji = await loadEmoji();
    diffusion = await loadStableDiffusion(join(models, "diffusion"));
  });

  it("take at most 8 MB", () => {
    const bytes = (folder: string): number =>
      readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
        const path = join(folder, entry.name);
        return sum + (entry.isDirectory() ? bytes(path) : statSync(path).size);
      }, 0);
    expect(bytes(models)).toBeLessThanOrEqual(8 * 2 ** 20);
  });

  it("CLIP retrieves held-out emoji as its record says, far above chance", async () => {
    const clip = await CLIPModel.fromPretrained(join(models, "clip"));
    const before = tf.memory().numTensors;
    const tokenizer = await CLIPTokenizer.fromPretrained(join(models, "clip"));
    const stated = record<Retrieval>("clip").figures;
    const found = await evaluateClip(clip, tokenizer, emoji);
    expect(tf.memory().numTensors).toBe(before);
    // One image more or fewer, where rounding turns a tie.
    const oneImage = 1 / stated.crossStyle.candidates + 1e-9;
    for (const part of ["imageToText", "crossStyle"] as const) {
      expect(Math.abs(found[part].r1 - stated[part].r1)).toBeLessThanOrEqual(oneImage);
      expect(found[part].r1).toBeGreaterThan(8 * found[part].chanceR1);
      expect(found[part].candidates).toBe(stated[part].candidates);
    }
    clip.dispose();
  });

  it("the auto-encoder restores held-out emoji as its record says", () => {
    const before = tf.memory().numTensors;
    const stated = record<VaeFigures>("vae").figures;
    const found = evaluateVae(diffusion.vae, emoji);
    expect(tf.memory().numTensors).toBe(before);
    expect(found.psnr).toBeCloseTo(stated.psnr, 2);
  });

  it("the denoiser heeds its caption as its record says", () => {
    const before = tf.memory().numTensors;
    const { seed, figures } = record<UNetFigures>("unet");
    const stated = figures.byTimestep.find(({ timestep }) => timestep === 550)!;
    const [found] = evaluateUNet(diffusion, emoji, seed, [550]).byTimestep;
    expect(tf.memory().numTensors).toBe(before);
    for (const name of ["rightCaption", "wrongCaption", "emptyCaption"] as const) {
      expect(found[name]).toBeCloseTo(stated[name], 4);
    }
    expect(found.rightCaption).toBeLessThan(found.emptyCaption);
    expect(found.emptyCaption).toBeLessThan(found.wrongCaption);
  });
});
