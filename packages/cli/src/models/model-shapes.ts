import { AutoencoderKL, CLIPTextModel, loadStableDiffusion, UNet2DConditionModel } from "@dcr-js/diffusion";
import {
  CLIPTextModelWithProjection,
  createImageEncoder,
  type ImageEncoder,
  type ImageEncoderShape,
} from "@dcr-js/encoders";
import { type Module, openWeights, readModelJson } from "@dcr-js/tensor";
import { namingOption } from "../command-line/naming-option.js";
import type { ModelSettings, RunConfig } from "../config/run-config.js";
import { resolveDiffusion, resolveEncoder } from "./resolve-models.js";

/** A run's models without weights: what can be known from the settings in their folders. */
export interface ModelShapes {
  encoder: ImageEncoder;
  unet: UNet2DConditionModel;
  vae: AutoencoderKL;
  textEncoder: CLIPTextModel;
  /** The second text encoder of Stable Diffusion XL. */
  textEncoder2?: CLIPTextModelWithProjection;
}

/** Whether an encoder can read texts, as an evaluation may ask of it. */
export type TextSide = Pick<ImageEncoderShape, "hasText" | "tokenizer">;

export interface ReadModels {
  shapes: ModelShapes;
  text: TextSide;
}

/**
 * Finds or downloads an encoder and a diffusion model, reads their settings, tokenizers and their weights' headers, and checks that
 * the two fit together. No weights are read.
 *
 * @throws naming the folder and what is missing, damaged, not supported, or does not fit
 */
export async function readModelShapes(config: Pick<RunConfig, ModelSettings>): Promise<ReadModels> {
  const encoderFolder = await resolveEncoder(config);
  const diffusionFolder = await resolveDiffusion(config);
  const { encoder, ...text } = await readEncoderShape(encoderFolder);
  const variant = config.variant ? { variant: config.variant } : {};
  const parts = await namingOption(
    "--diffusion",
    async () => {
      // These are small, and loading them checks them.
      await loadStableDiffusion(diffusionFolder, { components: ["scheduler", "tokenizer"] });
      const { text_encoder_2: second } = await readModelJson(
        diffusionFolder,
        "model_index.json",
        "model_index.json",
      );
      const isXL = Array.isArray(second) && typeof second[1] === "string";
      if (isXL) await loadStableDiffusion(diffusionFolder, { components: ["tokenizer2"] });
      const parts: Omit<ModelShapes, "encoder"> = {
        unet: await UNet2DConditionModel.fromConfig(`${diffusionFolder}/unet`),
        vae: await AutoencoderKL.fromConfig(`${diffusionFolder}/vae`),
        textEncoder: await CLIPTextModel.fromConfig(`${diffusionFolder}/text_encoder`),
        ...(isXL && {
          textEncoder2: await CLIPTextModelWithProjection.fromConfig(`${diffusionFolder}/text_encoder_2`),
        }),
      };
      for (const name of ["text_encoder", ...(isXL ? ["text_encoder_2"] : [])]) {
        await (await openWeights(`${diffusionFolder}/${name}`, "model", variant)).close();
      }
      for (const name of ["vae", "unet"]) {
        await (await openWeights(`${diffusionFolder}/${name}`, "diffusion_pytorch_model", variant)).close();
      }
      return parts;
    },
    diffusionFolder,
  );
  const shapes = { encoder, ...parts };
  checkFit(diffusionFolder, shapes);
  await namingOption("--encoder", async () => (await openWeights(encoderFolder, "model")).close());
  return { shapes, text };
}

/** An encoder without its weights. @throws naming `--encoder`, the folder and what is wrong in it */
export const readEncoderShape = (folder: string): Promise<ImageEncoderShape> =>
  namingOption("--encoder", () => createImageEncoder(folder), folder);

function checkFit(folder: string, { unet, vae, textEncoder, textEncoder2, encoder }: ModelShapes): void {
  const { cross_attention_dim: width, in_channels: channels, out_channels: predicted } = unet.config;
  const textWidth = textEncoder.config.hidden_size + (textEncoder2?.config.hidden_size ?? 0);
  const refuse = (why: string) => new Error(`--diffusion: ${folder}: ${why}`);
  if (textWidth !== width) {
    const given = textEncoder2 ? "text_encoder and text_encoder_2 give" : "text_encoder gives";
    throw refuse(`${given} vectors of ${textWidth}, and unet attends to vectors of ${width}`);
  }
  if (unet.config.addition_embed_type && !textEncoder2) {
    throw refuse("unet takes the added conditions of Stable Diffusion XL, and there is no text_encoder_2");
  }
  if (vae.config.latent_channels !== channels || predicted !== channels) {
    throw refuse(
      `vae gives latents of ${vae.config.latent_channels} channels, unet takes ${channels} and predicts ${predicted}`,
    );
  }
  if (encoder.imageSize % vae.factor !== 0) {
    throw new Error(
      `--encoder: its images of ${encoder.imageSize} x ${encoder.imageSize} give no whole latents: the vae of ${folder} divides ` +
        `width and height by ${vae.factor}`,
    );
  }
}

/** How many numbers the weights of a model or of adapters are. */
export function countWeights(model: Pick<Module, "parameters">): number {
  return model.parameters().reduce((sum, { shape }) => sum + shape.reduce((size, n) => size * n, 1), 0);
}
