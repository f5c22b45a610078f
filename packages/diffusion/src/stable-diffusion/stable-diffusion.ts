import { CLIPTextModel, CLIPTokenizer } from "@dcr-js/encoders";
import type { PretrainedOptions } from "@dcr-js/tensor";
import { DDPMScheduler } from "../schedulers/ddpm-scheduler.js";
import { UNet2DConditionModel } from "../unet/unet-2d-condition-model.js";
import { AutoencoderKL } from "../vae/autoencoder-kl.js";

/** The parts of a Stable Diffusion model. */
export interface StableDiffusion {
  unet: UNet2DConditionModel;
  vae: AutoencoderKL;
  textEncoder: CLIPTextModel;
  tokenizer: CLIPTokenizer;
  scheduler: DDPMScheduler;
}

/**
 * Loads an unmodified diffusers folder: `unet`, `vae`, `text_encoder`, `tokenizer` and `scheduler`.
 *
 * @param options `storage`: `"float16"` for frozen weights in half the memory
 * @throws if a part is missing, or is not what its settings say
 */
export async function loadStableDiffusion(
  folder: string,
  options: PretrainedOptions = {},
): Promise<StableDiffusion> {
  return {
    scheduler: await DDPMScheduler.fromPretrained(`${folder}/scheduler`),
    tokenizer: await CLIPTokenizer.fromPretrained(`${folder}/tokenizer`),
    textEncoder: await CLIPTextModel.fromPretrained(`${folder}/text_encoder`, options),
    vae: await AutoencoderKL.fromPretrained(`${folder}/vae`, options),
    unet: await UNet2DConditionModel.fromPretrained(`${folder}/unet`, options),
  };
}
