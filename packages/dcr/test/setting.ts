import type { ImageBatch, ImageSource } from "@dcr-js/data";
import { createUNetDenoiser, DDPMScheduler, UNet2DConditionModel } from "@dcr-js/diffusion";
import { addLoRA, CLIPImageProcessor, CLIPModel, type LoRA } from "@dcr-js/encoders";
import { type Module, Random, type StateDict } from "@dcr-js/tensor";
import { uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import type { LatentEncoder } from "../src/latents/latent-encoder.js";
import type { Objective } from "../src/objectives/objective.js";
import { Projector } from "../src/projector.js";
import { createEnhancementStage, type EnhancementOptions } from "../src/stages/enhancement-stage.js";
import type { Stage, StepRecord } from "../src/stages/stage.js";
import type { StageState } from "../src/stages/stage-state.js";

const tower = { hidden_size: 16, intermediate_size: 32, num_hidden_layers: 2, num_attention_heads: 2 };
export const size = 8;

/** Random images in order, `length` of them, again and again; the part of them that is `rank`'s. */
export function testSource({ length = 6, batchSize = 3, rank = 0, processes = 1 } = {}): ImageSource {
  let batches = 0;
  return {
    length,
    size,
    batchSize,
    position: () => ({ batches }),
    restore: (position) => {
      batches = position["batches"] as number;
    },
    close: async () => {},
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const first = batches++ * batchSize * processes + rank * batchSize;
        yield testBatch(Array.from({ length: batchSize }, (_, i) => (first + i) % length));
      }
    },
  };
}

export function testBatch(indices: number[]): ImageBatch {
  const stack = (seed: number) => {
    const all = new Float32Array(indices.length * size * size * 3);
    for (const [i, index] of indices.entries()) {
      all.set(uniformArray(seed + index, size * size * 3, 0, 1), i * size * size * 3);
    }
    return all;
  };
  return { names: indices.map((index) => `image ${index}`), size, images: stack(100), augmented: stack(200) };
}

/** Latents that are a fixed random projection of the image, with a small variance. */
export function testLatents(): LatentEncoder {
  return {
    latentChannels: 4,
    scalingFactor: 0.5,
    encode: async (images) => {
      const values = size * size * 3;
      const n = images.length / values;
      return tf.tidy(() => {
        const weights = new Random(3).normal([values, 64]) as tf.Tensor2D;
        const flat = tf.matMul(tf.sub(tf.tensor2d(images, [n, values]), 0.5) as tf.Tensor2D, weights);
        const mean = tf.reshape(tf.mul(flat, 0.3), [n, 4, 4, 4]) as tf.Tensor4D;
        return { mean, logvar: tf.fill([n, 4, 4, 4], -1) } as never;
      });
    },
    dispose: () => {},
  };
}

/** Small models, equal each time; `dispose` frees them. */
export function setting() {
  const random = new Random(11);
  const encoder = new CLIPModel({
    projection_dim: 12,
    vision_config: { ...tower, image_size: size, patch_size: 4 },
    text_config: { ...tower, vocab_size: 20, max_position_embeddings: 8, eos_token_id: 19 },
  }).initialize(random.fork("encoder"));
  const unet = new UNet2DConditionModel({
    down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
    block_out_channels: [8, 16],
    layers_per_block: 1,
    cross_attention_dim: 10,
    attention_head_dim: 2,
    norm_num_groups: 4,
  }).initialize(random.fork("unet"));
  const projector = new Projector(12, 10).initialize(random.fork("projector"));
  const denoiser = createUNetDenoiser(unet, random.fork("prompt").normal([1, 3, 10]) as tf.Tensor3D);
  const options = {
    source: testSource(),
    processor: new CLIPImageProcessor(),
    encoder,
    projector,
    denoiser,
    scheduler: new DDPMScheduler({
      beta_schedule: "scaled_linear",
      beta_start: 0.00085,
      beta_end: 0.012,
      num_train_timesteps: 1000,
    }),
    latents: testLatents(),
    seed: 2,
    learningRate: 1e-2,
    warmupSteps: 2,
    chunk: 5,
  };
  const dispose = () => {
    for (const module of [encoder, unet, projector]) module.dispose();
    denoiser.dispose();
  };
  return { options, unet, dispose };
}

export function adapt(encoder: CLIPModel, dropout = 0.1): LoRA {
  return addLoRA(encoder, {
    rank: 2,
    alpha: 2,
    dropout,
    bias: "lora_only",
    within: "vision_model",
    random: new Random(4),
  });
}

/** Stage 2 on fresh models; frees everything that `use` does not return. */
export async function enhance<T>(
  objective: Objective,
  change: Partial<EnhancementOptions> & { dropout?: number },
  use: (stage: Stage, setting: EnhancementOptions & { unet: Module; lora: LoRA }) => Promise<T>,
  create: (options: EnhancementOptions) => Stage = createEnhancementStage,
): Promise<T> {
  const { options, unet, dispose } = setting();
  const { dropout, ...rest } = change;
  const lora = adapt(options.encoder, dropout);
  const all = { ...options, adapters: lora, objective, ...rest };
  const stage = create(all);
  try {
    return await use(stage, { ...all, unet, lora });
  } finally {
    stage.dispose();
    dispose();
  }
}

export async function take(stage: Stage, steps: number): Promise<StepRecord[]> {
  const records: StepRecord[] = [];
  for (let step = 0; step < steps; step++) records.push(await stage.step());
  return records;
}

/** Reads and frees tensors. */
export function read(tensors: StateDict): Record<string, Float32Array> {
  const values = Object.entries(tensors).map(([name, tensor]) => [name, tensor.dataSync() as Float32Array]);
  tf.dispose(tensors);
  return Object.fromEntries(values);
}

/** Reads and frees a state. */
export const readState = ({ tensors, progress }: StageState) => ({ tensors: read(tensors), progress });

export const parametersOf = (module: Module) =>
  Object.fromEntries(
    Array.from(module.namedParameters(), ([name, { value }]) => [
      name,
      value.dataSync().slice() as Float32Array,
    ]),
  );

export const changed = (before: Record<string, Float32Array>, after: Record<string, Float32Array>) =>
  Object.keys(before).filter((name) => before[name].some((value, i) => value !== after[name][i]));

export const flat = (arrays: Float32Array[]) => arrays.flatMap((array) => [...array]);

/** AdamW's first moments: after one step, a tenth of the clipped gradient. */
export const gradientMoments = (state: StageState) => {
  const tensors = read(state.tensors);
  return Object.keys(tensors)
    .filter((name) => name.startsWith("exp_avg."))
    .map((name) => tensors[name]);
};
