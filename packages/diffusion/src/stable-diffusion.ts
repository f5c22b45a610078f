import { CLIPTextModel } from "./clip/clip-text-model.js";
import { CLIPTokenizer } from "./clip/clip-tokenizer.js";
import { DDPMScheduler } from "./scheduler/ddpm-scheduler.js";
import { UNet2DConditionModel } from "./unet/unet-2d-condition-model.js";
import { AutoencoderKL } from "./vae/autoencoder-kl.js";

/** The parts of a Stable Diffusion model. */
export interface StableDiffusion {
  unet: UNet2DConditionModel;
  vae: AutoencoderKL;
  textEncoder: CLIPTextModel;
  tokenizer: CLIPTokenizer;
  scheduler: DDPMScheduler;
}

/** Loads an unmodified diffusers folder: `unet`, `vae`, `text_encoder`, `tokenizer` and `scheduler`. */
export async function loadStableDiffusion(folder: string): Promise<StableDiffusion> {
  return {
    scheduler: await DDPMScheduler.fromPretrained(`${folder}/scheduler`),
    tokenizer: await CLIPTokenizer.fromPretrained(`${folder}/tokenizer`),
    textEncoder: await CLIPTextModel.fromPretrained(`${folder}/text_encoder`),
    vae: await AutoencoderKL.fromPretrained(`${folder}/vae`),
    unet: await UNet2DConditionModel.fromPretrained(`${folder}/unet`),
  };
}
