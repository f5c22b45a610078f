import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLIPImageProcessor, CLIPModel, createDenoiser, type Denoiser, Projector } from "@dcr-js/dcr";
import { CLIPTokenizer, loadStableDiffusion, type StableDiffusion } from "@dcr-js/diffusion";
import { IMAGE_SIZE } from "../data/images.js";
import type { RunConfig } from "./config.js";

/** The pretrained models that come with the example. */
export const ownModels = fileURLToPath(new URL("../../models", import.meta.url));

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

/** What is wrong with a weight does not say in which file it is. */
async function from<T>(folder: string, load: (folder: string) => Promise<T>): Promise<T> {
  try {
    return await load(folder);
  } catch (error) {
    const { message } = error as Error;
    throw message.includes(folder) ? error : new Error(`${folder}: ${message}`, { cause: error });
  }
}

/**
 * Loads the pretrained models from a folder in the Hugging Face layout: `clip` and `diffusion`.
 *
 * @throws one line that names the file, or the folder and the weight, and what is wrong with it
 */
export async function loadModels({
  models,
  savings,
}: Pick<RunConfig, "models" | "savings">): Promise<Models> {
  if (!existsSync(models)) throw new Error(`models: ${models}: no such folder`);
  const clip = join(models, "clip");
  const encoder = await from(clip, (folder) => CLIPModel.fromPretrained(folder));
  const { image_size: size } = encoder.config.vision_config;
  if (size !== IMAGE_SIZE) {
    throw new Error(
      `models: ${clip}: expected an encoder of ${IMAGE_SIZE} x ${IMAGE_SIZE} images, got ${size} x ${size}`,
    );
  }
  const diffusion = await from(join(models, "diffusion"), loadStableDiffusion);
  diffusion.vae.requiresGrad(false);
  diffusion.textEncoder.requiresGrad(false);
  return {
    encoder,
    processor: await CLIPImageProcessor.fromPretrained(clip),
    clipTokenizer: await CLIPTokenizer.fromPretrained(clip),
    diffusion,
    denoiser: createDenoiser(diffusion, { sharedPrefix: savings.sharedPrefix, additive: savings.additive }),
    projector: new Projector(encoder.config.projection_dim, diffusion.unet.config.cross_attention_dim),
  };
}
