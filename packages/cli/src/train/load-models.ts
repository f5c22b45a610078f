import { createDenoiser, createLatentEncoder, type LatentEncoder, Projector } from "@dcr-js/dcr";
import { type DDPMScheduler, type Denoiser, loadStableDiffusion } from "@dcr-js/diffusion";
import { CLIPImageProcessor, type ImageEncoder } from "@dcr-js/encoders";
import type { RunConfig } from "../config/run-config.js";
import { readEncoderForm } from "../models/encoder-forms.js";

/** What a stage trains with. The projector has no weights yet. */
export interface TrainingModels {
  encoder: ImageEncoder;
  processor: CLIPImageProcessor;
  denoiser: Denoiser;
  scheduler: DDPMScheduler;
  latents: LatentEncoder;
  projector: Projector;
  dispose(): void;
}

/**
 * Loads the encoder's image tower and the diffusion model's parts. Its text encoder is freed once the empty prompt is
 * encoded.
 */
export async function loadTrainingModels({
  encoder: encoderName,
  diffusion: diffusionName,

  storage,
}: Pick<RunConfig, "encoder" | "diffusion" | "storage">): Promise<TrainingModels> {
  const { tower } = await readEncoderForm(encoderName);
  const encoder = await tower.fromPretrained(encoderName, { storage });
  const processor = await CLIPImageProcessor.fromPretrained(encoderName);
  const diffusion = await loadStableDiffusion(diffusionName, { storage });
  const denoiser = createDenoiser(diffusion);
  diffusion.textEncoder.dispose();
  const latents = createLatentEncoder(diffusion.vae);
  return {
    encoder,
    processor,
    denoiser,
    scheduler: diffusion.scheduler,
    latents,
    projector: new Projector(encoder.featureSize, denoiser.conditionSize),
    dispose: () => {
      denoiser.dispose();
      latents.dispose();
      for (const model of [encoder, diffusion.unet, diffusion.vae]) model.dispose();
    },
  };
}
