import {
  addLoRA,
  CLIPImageProcessor,
  CLIPModel,
  createDenoiser,
  createEnhancementStage,
  type Method,
  methods,
  Projector,
} from "@dcr-js/dcr";
import { type LatentDistribution, loadStableDiffusion } from "@dcr-js/diffusion";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { Case, Prepared } from "../case.js";
import { modelFolder } from "./model-folder.js";

const [batchSize, images, side] = [4, 16, 32];

/** Stage 2 as the emoji example sets it up, on noise for images and with an untrained projector: the same work. */
async function prepare(method: Method): Promise<Prepared> {
  const encoder = await CLIPModel.fromPretrained(modelFolder("clip"));
  const { vae, scheduler, unet, textEncoder, tokenizer } = await loadStableDiffusion(
    modelFolder("diffusion"),
  );
  for (const module of [vae, textEncoder]) module.requiresGrad(false);
  const denoiser = createDenoiser({ unet, textEncoder, tokenizer }, { chunk: 36 });
  const random = new Random(0);
  const projector = new Projector(encoder.config.projection_dim, unet.config.cross_attention_dim).initialize(
    random.fork("projector"),
  );
  const pixels = random.fork("images").uniformArray(images * side * side * 3);
  const size = side * side * 3;
  const posterior = tf.tidy(
    () =>
      vae.encode(
        tf.tensor4d(
          pixels.map((p) => 2 * p - 1),
          [images, side, side, 3],
        ),
      ) as never,
  ) as LatentDistribution;
  const stage = createEnhancementStage({
    source: { length: images, size: side, image: (i) => pixels.subarray(i * size, (i + 1) * size) },
    latents: (indices) => {
      const rows = tf.tensor1d(indices, "int32");
      const drawn = { mean: tf.gather(posterior.mean, rows), logvar: tf.gather(posterior.logvar, rows) };
      rows.dispose();
      return drawn;
    },
    lora: addLoRA(encoder, {
      rank: 16,
      alpha: 16,
      dropout: 0,
      bias: "lora_only",
      within: "vision_model",
      random: random.fork("lora"),
    }),
    method,
    encoder,
    projector,
    denoiser,
    scheduler,
    processor: await CLIPImageProcessor.fromPretrained(modelFolder("clip")),
    scalingFactor: vae.config.scaling_factor,
    seed: 0,
    batchSize,
    learningRate: 3e-4,
  });
  return {
    run: async () => {
      await stage.step();
      // After the first step, AdamW's first moments are the gradients but for a factor.
      const state = Object.entries(stage.state());
      const moments = state.filter(([name]) => name.startsWith("exp_avg."));
      tf.dispose(state.filter((entry) => !moments.includes(entry)).map(([, tensor]) => tensor));
      return moments.map(([, tensor]) => tensor);
    },
    dispose: () => {
      stage.dispose();
      for (const module of [encoder, vae, unet, textEncoder, projector]) module.dispose();
      tf.dispose([denoiser.emptyPrompt, posterior.mean, posterior.logvar]);
    },
  };
}

export const stepCases: Case[] = [
  { name: `DCR step, N = ${batchSize}`, prepare: () => prepare(methods.dcr) },
];
