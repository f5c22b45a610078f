import { createDenoiser, createLatentEncoder, type LatentEncoder, Projector } from "@dcr-js/dcr";
import { type DDPMScheduler, type Denoiser, loadStableDiffusion } from "@dcr-js/diffusion";
import { type ImageEncoder, type ImageProcessor, loadImageEncoder } from "@dcr-js/encoders";
import type { ModelSettings, RunConfig } from "../config/run-config.js";
import { resolveDiffusion, resolveEncoder } from "../models/resolve-models.js";

/** The most that a cache of latents takes; the least recently used make room. */
export const latentCacheBytes = 2 ** 33;

/** The models that a stage trains with. The projector has no weights yet. */
export interface TrainingModels {
  encoder: ImageEncoder;
  processor: ImageProcessor;
  denoiser: Denoiser;
  scheduler: DDPMScheduler;
  latents: LatentEncoder;
  projector: Projector;
  dispose(): void;
}

/**
 * Loads the encoder's image tower and the diffusion model's parts. Its text encoders are freed once the empty prompt is
 * encoded.
 */
export async function loadTrainingModels(
  config: Pick<RunConfig, ModelSettings | "storage" | "latentCache">,
): Promise<TrainingModels> {
  const { storage, variant, latentCache } = config;
  const loaded = await loadImageEncoder(await resolveEncoder(config), { text: false, storage });
  const diffusion = await loadStableDiffusion(await resolveDiffusion(config), {
    storage,
    ...(variant && { variant }),
  });
  const denoiser = createDenoiser(diffusion);
  diffusion.textEncoder.dispose();
  diffusion.textEncoder2?.dispose();
  const latents = createLatentEncoder(
    diffusion.vae,
    latentCache === null ? {} : { cacheFolder: latentCache, cacheFolderBytes: latentCacheBytes },
  );
  const { encoder, processor } = loaded;
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
