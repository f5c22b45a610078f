import {
  addLoRA,
  CLIPImageProcessor,
  CLIPModel,
  createDenoiser,
  createEnhancementStage,
  createLatentEncoder,
  objectives,
  Projector,
} from "@dcr-js/dcr";
import { loadStableDiffusion } from "@dcr-js/diffusion";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { Case, Prepared } from "../case.js";
import { modelFolder } from "./model-folder.js";

const side = 32;

export interface StepOptions {
  batchSize: number;
  /** Dropout before the LoRA. Default 0. */
  dropout?: number;
}

/** Stage 2 on the models of the scenes example, on noise for images and with an untrained projector: the same work. */
export async function prepareStep({ batchSize, dropout = 0 }: StepOptions): Promise<Prepared> {
  const images = 32;
  const encoder = await CLIPModel.fromPretrained(modelFolder("clip"));
  const { vae, scheduler, unet, textEncoder, tokenizer } = await loadStableDiffusion(
    modelFolder("diffusion"),
  );
  textEncoder.requiresGrad(false);
  const denoiser = createDenoiser({ unet, textEncoder, tokenizer });
  const random = new Random(0);
  const projector = new Projector(encoder.featureSize, denoiser.conditionSize).initialize(
    random.fork("projector"),
  );
  const values = batchSize * side * side * 3;
  const pixels = random.fork("images").uniformArray((images / batchSize) * values);
  let batches = 0;
  const stage = createEnhancementStage({
    source: {
      length: images,
      size: side,
      batchSize,
      position: () => ({ batches }),
      restore: (position) => {
        batches = position["batches"] as number;
      },
      close: async () => {},
      async *[Symbol.asyncIterator]() {
        for (;;) {
          const first = (batches++ % (images / batchSize)) * values;
          const part = pixels.subarray(first, first + values);
          yield {
            names: Array.from({ length: batchSize }, String),
            size: side,
            images: part,
            augmented: part,
          };
        }
      },
    },
    latents: createLatentEncoder(vae, { microBatch: 4 }),
    adapters: addLoRA(encoder, {
      rank: 16,
      alpha: 16,
      dropout,
      bias: "lora_only",
      within: "vision_model",
      random: random.fork("lora"),
    }),
    objective: objectives.dcr(),
    encoder,
    projector,
    denoiser,
    scheduler,
    processor: await CLIPImageProcessor.fromPretrained(modelFolder("clip")),
    seed: 0,
    learningRate: 3e-4,
  });
  return {
    run: async () => {
      await stage.step();
      // After the first step, AdamW's first moments are the gradients but for a factor.
      const state = Object.entries(stage.state().tensors);
      const moments = state.filter(([name]) => name.startsWith("exp_avg."));
      tf.dispose(state.filter((entry) => !moments.includes(entry)).map(([, tensor]) => tensor));
      return moments.map(([, tensor]) => tensor);
    },
    dispose: () => {
      stage.dispose();
      for (const module of [encoder, vae, unet, textEncoder, projector]) module.dispose();
      denoiser.dispose();
    },
  };
}

export const stepCases: Case[] = [{ name: "DCR step, N = 4", prepare: () => prepareStep({ batchSize: 4 }) }];
