import { AutoencoderKL, CLIPTextModel, UNet2DConditionModel } from "@dcr-js/diffusion";
import type { ImageEncoder } from "@dcr-js/encoders";
import { type Module, openWeights, readModelJson } from "@dcr-js/tensor";
import type { RunConfig } from "../config/run-config.js";
import { readEncoderShape } from "./encoder-shape.js";
import { resolveDiffusion, resolveEncoder } from "./resolve-models.js";

/** A run's models without weights: what can be known from the settings in their folders. */
export interface ModelShapes {
  encoder: ImageEncoder;
  unet: UNet2DConditionModel;
  vae: AutoencoderKL;
  textEncoder: CLIPTextModel;
}

/**
 * Finds or downloads an encoder and a diffusion model, reads their settings and their weights' headers, and checks that the two
 * fit together. No weights are read.
 *
 * @throws naming the folder and what is missing, damaged, not supported, or does not fit
 */
export async function readModelShapes(
  config: Pick<RunConfig, "encoder" | "diffusion" | "variant">,
): Promise<ModelShapes> {
  const encoderFolder = await resolveEncoder(config.encoder);
  const diffusionFolder = await resolveDiffusion(config);
  const part = <M>(name: string, create: (settings: never) => M): Promise<M> => {
    const folder = `${diffusionFolder}/${name}`;
    return inFolder(folder, async () =>
      create((await readModelJson(folder, "config.json", "--diffusion")) as never),
    );
  };
  const shapes: ModelShapes = {
    encoder: await inFolder(encoderFolder, () => readEncoderShape(encoderFolder)),
    unet: await part("unet", (settings) => new UNet2DConditionModel(settings)),
    vae: await part("vae", (settings) => new AutoencoderKL(settings)),
    textEncoder: await part("text_encoder", (settings) => new CLIPTextModel(settings)),
  };
  checkFit(diffusionFolder, shapes);
  const variant = config.variant ? { variant: config.variant } : {};
  await (await openWeights(encoderFolder, "model")).close();
  await (await openWeights(`${diffusionFolder}/text_encoder`, "model", variant)).close();
  for (const name of ["vae", "unet"]) {
    await (await openWeights(`${diffusionFolder}/${name}`, "diffusion_pytorch_model", variant)).close();
  }
  return shapes;
}

/** A model whose settings are wrong does not say in which folder they are. */
async function inFolder<T>(folder: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const { message } = error as Error;
    throw message.includes(folder) ? error : new Error(`${folder}: ${message}`, { cause: error });
  }
}

function checkFit(folder: string, { unet, vae, textEncoder, encoder }: ModelShapes): void {
  const { cross_attention_dim: width, in_channels: channels } = unet.config;
  const { hidden_size: textWidth } = textEncoder.config;
  if (textWidth !== width) {
    throw new Error(
      `--diffusion: ${folder}: text_encoder gives vectors of ${textWidth}, and unet attends to vectors of ${width}`,
    );
  }
  if (vae.config.latent_channels !== channels) {
    throw new Error(
      `--diffusion: ${folder}: vae gives latents of ${vae.config.latent_channels} channels, and unet takes ${channels}`,
    );
  }
  if (encoder.imageSize % vae.factor !== 0) {
    throw new Error(
      `--encoder: its images of ${encoder.imageSize} x ${encoder.imageSize} give no whole latents: the vae of ${folder} divides ` +
        `width and height by ${vae.factor}`,
    );
  }
}

/** How many numbers a model's weights are. */
export function countWeights(model: Module): number {
  return model.parameters().reduce((sum, { shape }) => sum + shape.reduce((size, n) => size * n, 1), 0);
}
