#!/usr/bin/env node
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIPModel } from "@dcr-js/dcr";
import { AutoencoderKL, CLIPTextModel, CLIPTokenizer, loadStableDiffusion } from "@dcr-js/diffusion";
import { initialize, writeFileAtomically } from "@dcr-js/tensor";
import { Command, InvalidArgumentError } from "commander";
import { captionTexts } from "./data/captions.js";
import { loadEmoji } from "./data/emoji.js";
import { trainBpe } from "./pretrain/bpe.js";
import { imageProcessor, pretrainClip } from "./pretrain/clip.js";
import { trainingIndices } from "./pretrain/images.js";
import type { CurvePoint } from "./pretrain/train-loop.js";
import { evaluateUNet, pretrainUNet, schedulerConfig } from "./pretrain/unet.js";
import { evaluateVae, pretrainVae } from "./pretrain/vae.js";

const exampleFolder = join(dirname(fileURLToPath(import.meta.url)), "..");
const parts = ["tokenizer", "clip", "vae", "unet"] as const;
type Part = (typeof parts)[number];

const integer = (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError("expected an integer, 0 or more");
  return value;
};

const program = new Command("pretrain")
  .description(
    "Trains the tiny models that the main job starts from: tokenizer, CLIP, auto-encoder, denoiser.",
  )
  .option("--only <part>", `one of ${parts.join(", ")}; all in this order by default`)
  .option("--steps <n>", "steps of the part named by --only; its own default otherwise", integer)
  .option("--minutes <n>", "ends each part after this much time, where that comes first", Number)
  .option("--seed <n>", "seed of everything random", integer, 0)
  .option("--out <folder>", "where the models go", join(exampleFolder, "models"))
  .parse();
const options = program.opts<{ only?: Part; steps?: number; minutes?: number; seed: number; out: string }>();
if (options.only && !parts.includes(options.only)) {
  program.error(`error: --only must be one of ${parts.join(", ")}, got "${options.only}"`);
}

if (options.minutes !== undefined && !(options.minutes > 0)) {
  program.error(`error: --minutes must be a positive number, got ${options.minutes}`);
}

const { seed, out } = options;
const clipFolder = join(out, "clip");
const diffusionFolder = join(out, "diffusion");
const defaultSteps = { clip: 2400, vae: 1400, unet: 2000 };
const settings = (part: "clip" | "vae" | "unet") => {
  const steps = (options.only === part ? options.steps : undefined) ?? defaultSteps[part];
  // A stopped run goes on only where seed and length are the same.
  const checkpoints = join(exampleFolder, ".cache", "pretrain", `seed-${seed}-steps-${steps}`);
  return { seed, steps, minutes: options.minutes, checkpoints };
};
const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const device = await initialize({ device: "auto" });
console.log(`device: ${device.kind}, ${device.reason}`);
const set = await loadEmoji();

async function record(part: "clip" | "vae" | "unet", curve: CurvePoint[], figures: unknown): Promise<void> {
  const folder = join(out, "training");
  await writeFileAtomically(
    join(folder, `${part}-curve.jsonl`),
    curve.map((point) => `${JSON.stringify(point)}\n`).join(""),
  );
  await writeFileAtomically(
    join(folder, `${part}.json`),
    json({ seed, steps: curve.at(-1)?.step ?? 0, minutes: options.minutes, figures }),
  );
  console.log(part, JSON.stringify(figures));
}

const run: Record<Part, () => Promise<void>> = {
  async tokenizer() {
    const corpus = captionTexts(trainingIndices(set).map((i) => set.items[i]));
    const { vocab, merges } = trainBpe(corpus, 1000);
    const special = {
      bos_token: "<|startoftext|>",
      eos_token: "<|endoftext|>",
      unk_token: "<|endoftext|>",
      pad_token: "<|endoftext|>",
    };
    const files = {
      "vocab.json": json(vocab),
      "merges.txt": `#version: 0.2\n${merges.join("\n")}\n`,
      "special_tokens_map.json": json(special),
      "tokenizer_config.json": json({ ...special, model_max_length: 24, tokenizer_class: "CLIPTokenizer" }),
    };
    for (const folder of [clipFolder, join(diffusionFolder, "tokenizer")]) {
      for (const [name, text] of Object.entries(files)) await writeFileAtomically(join(folder, name), text);
    }
  },
  async clip() {
    const tokenizer = await CLIPTokenizer.fromPretrained(clipFolder);
    const { model, curve, figures } = await pretrainClip(set, tokenizer, settings("clip"));
    await model.savePretrained(clipFolder);
    await writeFileAtomically(join(clipFolder, "preprocessor_config.json"), json(imageProcessor.config));
    await record("clip", curve, figures);
  },
  async vae() {
    const { model, curve } = await pretrainVae(set, settings("vae"));
    await model.savePretrained(join(diffusionFolder, "vae"), { dtype: "F16" });
    // Figures are of the weights as saved, rounded to half precision.
    await record(
      "vae",
      curve,
      evaluateVae(await AutoencoderKL.fromPretrained(join(diffusionFolder, "vae")), set),
    );
  },
  async unet() {
    const clip = await CLIPModel.fromPretrained(clipFolder);
    const textEncoder = new CLIPTextModel(clip.config.text_config);
    const weights = clip.stateDict();
    textEncoder.loadStateDict(
      Object.fromEntries(Object.entries(weights).filter(([name]) => name.startsWith("text_model."))),
    );
    const tokenizer = await CLIPTokenizer.fromPretrained(join(diffusionFolder, "tokenizer"));
    const vae = await AutoencoderKL.fromPretrained(join(diffusionFolder, "vae"));
    const { model, curve } = await pretrainUNet(set, { vae, textEncoder, tokenizer }, settings("unet"));
    await model.savePretrained(join(diffusionFolder, "unet"), { dtype: "F16" });
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
    await record("unet", curve, evaluateUNet(await loadStableDiffusion(diffusionFolder), set, seed));
  },
};
for (const part of options.only ? [options.only] : parts) await run[part]();
