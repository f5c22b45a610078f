import { AutoencoderKL, CLIPTextModel, UNet2DConditionModel } from "@dcr-js/diffusion";
import type { ImageEncoder } from "@dcr-js/encoders";
import { type Module, readModelJson } from "@dcr-js/tensor";
import { readEncoderForm } from "./encoder-forms.js";

/** A run's models without weights: what can be known from the settings in their folders. */
export interface ModelShapes {
  encoder: ImageEncoder;
  unet: UNet2DConditionModel;
  vae: AutoencoderKL;
  textEncoder: CLIPTextModel;
}

/**
 * Reads the settings of an encoder and of a diffusion model, and checks that the two fit together. No weights are read.
 *
 * @throws naming the folder and the setting that is missing, not supported, or does not fit
 */
export async function readModelShapes(encoderFolder: string, diffusionFolder: string): Promise<ModelShapes> {
  const part = <M>(name: string, create: (config: never) => M): Promise<M> => {
    const folder = `${diffusionFolder}/${name}`;
    return inFolder(folder, async () => create((await readModelJson(folder, "config.json", "--diffusion")) as never));
  };
  const shapes: ModelShapes = {
    encoder: await inFolder(encoderFolder, async () => {
      const { tower, towerConfig } = await readEncoderForm(encoderFolder);
      return new tower(towerConfig as never);
    }),
    unet: await part("unet", (settings) => new UNet2DConditionModel(settings)),
    vae: await part("vae", (settings) => new AutoencoderKL(settings)),
    textEncoder: await part("text_encoder", (settings) => new CLIPTextModel(settings)),
  };
  checkFit(diffusionFolder, shapes);
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
