import {
  type AutoencoderKL,
  CLIPTextModel,
  type CLIPTokenizer,
  DDPMScheduler,
  UNet2DConditionModel,
} from "@dcr-js/diffusion";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { fullCaption } from "../scenes/captions.js";
import type { SceneSet } from "../scenes/splits.js";
import { rowsOf } from "./image-batch.js";
import { latentsOf } from "./latents.js";
import { textConfig } from "./text-config.js";
import { type CurvePoint, trainLoop } from "./train-loop.js";

/** Stable Diffusion's noise. */
export const schedulerConfig = {
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  prediction_type: "epsilon",
  clip_sample: false,
  set_alpha_to_one: false,
  steps_offset: 1,
} as const;

const BATCH_SIZE = 64;

/**
 * Trains a denoiser on the frozen auto-encoder's latents, and with it the text encoder.
 *
 * Attention is at the 4 x 4 level only: at 8 x 8 it costs more than all convolutions, and the layers before the first cross-attention are computed
 * once for all conditions of an image.
 */
export async function pretrainDenoiser(options: {
  set: SceneSet;
  vae: AutoencoderKL;
  tokenizer: CLIPTokenizer;
  seed: number;
  steps: number;
  checkpoints: string;
}): Promise<{ unet: UNet2DConditionModel; textEncoder: CLIPTextModel; curve: CurvePoint[] }> {
  const { set, vae, tokenizer, seed, steps, checkpoints } = options;
  const random = new Random(seed).fork("denoiser");
  const channels = vae.config.latent_channels;
  const unet = new UNet2DConditionModel({
    sample_size: set.size / vae.factor,
    in_channels: channels,
    out_channels: channels,
    down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types: ["CrossAttnUpBlock2D", "UpBlock2D"],
    block_out_channels: [32, 64],
    layers_per_block: 1,
    cross_attention_dim: 64,
    attention_head_dim: [2, 4],
    norm_num_groups: 8,
    use_linear_projection: true,
  }).initialize(random.fork("unet"));
  const textEncoder = new CLIPTextModel(textConfig(tokenizer)).initialize(random.fork("text encoder"));
  const scheduler = new DDPMScheduler(schedulerConfig);
  const latents = latentsOf(vae, set);
  const curve = await trainLoop({
    name: "denoiser",
    parameters: [...unet.trainableParameters(), ...textEncoder.trainableParameters()],
    steps,
    learningRate: 1.5e-3,
    weightDecay: 0.01,
    averageDecay: 0.998,
    checkpoints,
    loss: (step) =>
      tf.tidy(() => {
        const own = random.fork(`step/${step}`);
        const rows = rowsOf(set.scenes.length, BATCH_SIZE, step, random);
        const x0 = tf.gather(latents, tf.tensor1d(rows, "int32"));
        const captions = Array.from(rows, (row) => fullCaption(set.scenes[row], own));
        const timesteps = own.integerArray(BATCH_SIZE, 0, schedulerConfig.num_train_timesteps);
        const noise = own.normal(x0.shape) as tf.Tensor4D;
        const encoderHiddenStates = textEncoder.forward(tokenizer.encode(captions)).lastHiddenState;
        const noisy = scheduler.addNoise(x0, noise, timesteps);
        const predicted = unet.forward(noisy, tf.tensor1d(timesteps, "int32"), { encoderHiddenStates });
        return tf.mean(tf.square(tf.sub(predicted, noise))) as tf.Scalar;
      }),
  });
  latents.dispose();
  return { unet, textEncoder, curve };
}
