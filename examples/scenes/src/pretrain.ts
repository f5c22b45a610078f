#!/usr/bin/env node
import { existsSync } from "node:fs";
import { cp, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoencoderKL, CLIPTokenizer, loadStableDiffusion } from "@dcr-js/diffusion";
import { CLIPModel } from "@dcr-js/encoders";
import { initialize, writeFileAtomically } from "@dcr-js/tensor";
import { Command, InvalidArgumentError, Option } from "commander";
import { imageProcessor, pretrainClip } from "./pretrain/clip.js";
import { clipFigures } from "./pretrain/clip-figures.js";
import { pretrainDenoiser, schedulerConfig } from "./pretrain/denoiser.js";
import { denoisingLosses } from "./pretrain/denoising-losses.js";
import { withModelsTable } from "./pretrain/models-table.js";
import { tokenizerFiles } from "./pretrain/tokenizer.js";
import type { CurvePoint } from "./pretrain/train-loop.js";
import { readRecords } from "./pretrain/training-records.js";
import { clipScenes, denoiserScenes, validationScenes } from "./pretrain/training-scenes.js";
import { pretrainVae } from "./pretrain/vae.js";
import { vaeFigures } from "./pretrain/vae-figures.js";
import { loadSprites } from "./scenes/sprites.js";

const exampleFolder = join(dirname(fileURLToPath(import.meta.url)), "..");
const parts = ["tokenizer", "clip", "vae", "denoiser"] as const;
type Part = (typeof parts)[number];
/** Steps of each part. */
const steps = { clip: 3000, vae: 1400, denoiser: 1600 };

const integer = (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("expected an integer, 0 or more");
  return value;
};

const options = new Command("pretrain")
  .description("Trains a set of tiny models for the benchmark: tokenizer, CLIP, auto-encoder, denoiser.")
  .option("--set <k>", "which set; k is the seed of everything random in it", integer, 0)
  .addOption(new Option("--only <part>", "one part; all in this order by default").choices(parts))
  .option("--out <folder>", "where the sets go", join(exampleFolder, "models"))
  .parse()
  .opts<{ set: number; only?: Part; out: string }>();

const { set: seed } = options;
const setFolder = join(options.out, `set-${seed}`);
const clipFolder = join(setFolder, "clip");
const diffusionFolder = join(setFolder, "diffusion");
const checkpoints = join(exampleFolder, ".cache", "pretrain", `set-${seed}`);
const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

async function record(
  part: Exclude<Part, "tokenizer">,
  curve: CurvePoint[],
  figures: unknown,
  trainedFrom = seed,
): Promise<void> {
  const lines = curve.map((point) => `${JSON.stringify(point)}\n`);
  await writeFileAtomically(join(setFolder, "training", `${part}-curve.jsonl`), lines.join(""));
  const { step, seconds } = curve[curve.length - 1];
  await writeFileAtomically(
    join(setFolder, "training", `${part}.json`),
    json({ seed: trainedFrom, steps: step, seconds, figures }),
  );
  console.log(part, JSON.stringify(figures));
  if (options.out !== join(exampleFolder, "models")) return;
  const [readme, records] = [join(exampleFolder, "README.md"), readRecords(options.out)];
  if (records.length > 0)
    await writeFileAtomically(readme, withModelsTable(await readFile(readme, "utf8"), records));
}

const run: Record<Part, () => Promise<void>> = {
  async tokenizer() {
    for (const folder of [clipFolder, join(diffusionFolder, "tokenizer")]) {
      for (const [name, text] of Object.entries(tokenizerFiles()))
        await writeFileAtomically(join(folder, name), text);
    }
  },
  async clip() {
    const tokenizer = await CLIPTokenizer.fromPretrained(clipFolder);
    const set = clipScenes(await loadSprites(), seed);
    const { model, curve } = await pretrainClip({ set, tokenizer, seed, steps: steps.clip, checkpoints });
    await model.savePretrained(clipFolder);
    await writeFileAtomically(join(clipFolder, "preprocessor_config.json"), json(imageProcessor.config));
    model.dispose();
    const saved = await CLIPModel.fromPretrained(clipFolder);
    await record("clip", curve, await clipFigures(saved, tokenizer, await loadSprites()));
  },
  async vae() {
    // As released models have one auto-encoder in common, so do the sets: it is a function of seed 0.
    const first = join(options.out, "set-0");
    if (seed !== 0 && existsSync(join(first, "training", "vae.json"))) {
      for (const path of ["diffusion/vae", "training/vae.json", "training/vae-curve.jsonl"]) {
        await cp(join(first, path), join(setFolder, path), { recursive: true });
      }
      return;
    }
    const sprites = await loadSprites();
    const set = denoiserScenes(sprites, 0);
    const { model, curve } = await pretrainVae({ set, seed: 0, steps: steps.vae, checkpoints });
    await model.savePretrained(join(diffusionFolder, "vae"));
    await record("vae", curve, vaeFigures(model, validationScenes(sprites, 500)), 0);
  },
  async denoiser() {
    const sprites = await loadSprites();
    const tokenizer = await CLIPTokenizer.fromPretrained(join(diffusionFolder, "tokenizer"));
    const vae = await AutoencoderKL.fromPretrained(join(diffusionFolder, "vae"));
    const set = denoiserScenes(sprites, seed);
    const settings = { set, vae, tokenizer, seed, steps: steps.denoiser, checkpoints };
    const { unet, textEncoder, curve } = await pretrainDenoiser(settings);
    await unet.savePretrained(join(diffusionFolder, "unet"));
    await textEncoder.savePretrained(join(diffusionFolder, "text_encoder"));
    const scheduler = { _class_name: "DDPMScheduler", ...schedulerConfig };
    await writeFileAtomically(join(diffusionFolder, "scheduler", "scheduler_config.json"), json(scheduler));
    const index = {
      _class_name: "StableDiffusionPipeline",
      scheduler: ["diffusers", "DDPMScheduler"],
      text_encoder: ["transformers", "CLIPTextModel"],
      tokenizer: ["transformers", "CLIPTokenizer"],
      unet: ["diffusers", "UNet2DConditionModel"],
      vae: ["diffusers", "AutoencoderKL"],
      safety_checker: [null, null],
      feature_extractor: [null, null],
    };
    await writeFileAtomically(join(diffusionFolder, "model_index.json"), json(index));
    await record("denoiser", curve, denoisingLosses(await loadStableDiffusion(diffusionFolder), sprites));
  },
};

const device = await initialize({ device: "wasm" });
console.log(`set ${seed}, device: ${device.kind}`);
for (const part of options.only ? [options.only] : parts) await run[part]();
