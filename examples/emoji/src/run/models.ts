import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIPImageProcessor, CLIPModel, createDenoiser, type Denoiser, Projector } from "@dcr-js/dcr";
import { CLIPTokenizer, loadStableDiffusion, type StableDiffusion } from "@dcr-js/diffusion";
import type { RunConfig } from "./config.js";

export const modelFolder = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "models");

/** What every job starts from. */
export interface Models {
  encoder: CLIPModel;
  processor: CLIPImageProcessor;
  clipTokenizer: CLIPTokenizer;
  diffusion: StableDiffusion;
  denoiser: Denoiser;
  /** With no weights yet. */
  projector: Projector;
}

/** Loads the pretrained models from their Hugging Face folders. */
export async function loadModels({ savings }: Pick<RunConfig, "savings">): Promise<Models> {
  const clip = join(modelFolder, "clip");
  const encoder = await CLIPModel.fromPretrained(clip);
  const diffusion = await loadStableDiffusion(join(modelFolder, "diffusion"));
  diffusion.vae.requiresGrad(false);
  diffusion.textEncoder.requiresGrad(false);
  return {
    encoder,
    processor: await CLIPImageProcessor.fromPretrained(clip),
    clipTokenizer: await CLIPTokenizer.fromPretrained(clip),
    diffusion,
    denoiser: createDenoiser(diffusion, savings),
    projector: new Projector(encoder.config.projection_dim, diffusion.unet.config.cross_attention_dim),
  };
}
