import {
  type AutoencoderKL,
  type CLIPTextModel,
  type CLIPTokenizer,
  DDPMScheduler,
  sampleLatents,
  UNet2DConditionModel,
} from "@dcr-js/diffusion";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { appearanceOf } from "../data/appearance.js";
import { sampleCaption, styledCaption } from "../data/captions.js";
import type { EmojiData } from "../data/emoji.js";
import { IMAGE_SIZE, imageTensor } from "../data/images.js";
import { batchOf, toSigned, trainingIndices, validationIndices } from "./images.js";
import { type CurvePoint, trainLoop } from "./train-loop.js";

/** Mean squared error of the predicted noise on held-out codes, the same noise for the three captions. */
export interface DenoisingLoss {
  rightCaption: number;
  wrongCaption: number;
  emptyCaption: number;
}

export interface UNetFigures extends DenoisingLoss {
  images: number;
  /** The same by timestep. */
  byTimestep: (DenoisingLoss & { timestep: number })[];
}

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

interface Parts {
  unet: UNet2DConditionModel;
  vae: AutoencoderKL;
  textEncoder: CLIPTextModel;
  tokenizer: CLIPTokenizer;
}

/** Latents of these images, times the scaling factor. */
function encodeLatents(vae: AutoencoderKL, set: EmojiData, indices: number[], random: Random): tf.Tensor4D {
  return tf.tidy(() => {
    const posterior = vae.encode(toSigned(imageTensor(set.images, indices)));
    const sampled = sampleLatents(posterior, random.normal(posterior.mean.shape) as tf.Tensor4D);
    return tf.mul(sampled, vae.config.scaling_factor);
  });
}

/**
 * Trains the denoiser on the frozen auto-encoder's latents, and with it the text encoder, which starts as CLIP's
 * text tower. Three captions in four begin with what the picture looks like; one in eight is dropped, so that the
 * empty prompt is a condition too.
 */
export async function pretrainUNet(
  set: EmojiData,
  parts: Omit<Parts, "unet">,
  options: { seed: number; steps: number; minutes?: number; checkpoints: string },
): Promise<{ model: UNet2DConditionModel; curve: CurvePoint[] }> {
  const random = new Random(options.seed).fork("unet");
  const { vae, textEncoder, tokenizer } = parts;
  const unet = new UNet2DConditionModel({
    sample_size: IMAGE_SIZE / vae.factor,
    down_block_types: ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    block_out_channels: [32, 64],
    layers_per_block: 1,
    cross_attention_dim: textEncoder.config.hidden_size,
    attention_head_dim: [2, 4],
    norm_num_groups: 8,
    use_linear_projection: true,
  }).initialize(random.fork("weights"));
  const scheduler = new DDPMScheduler(schedulerConfig);
  const pool = trainingIndices(set);
  const latents = tf.keep(encodeAll(vae, set, pool, random));
  const appearances = pool.map((i) => appearanceOf(set.images, i));
  const batchSize = 64;
  const curve = await trainLoop({
    name: "unet",
    parameters: [...unet.trainableParameters(), ...textEncoder.trainableParameters()],
    steps: options.steps,
    minutes: options.minutes,
    learningRate: 1.5e-3,
    weightDecay: 0.01,
    averageDecay: 0.997,
    checkpoints: options.checkpoints,
    loss: (step) =>
      tf.tidy(() => {
        const own = random.fork(`step/${step}`);
        const rows = batchOf(
          pool.map((_, i) => i),
          batchSize,
          step,
          random,
        );
        const x0 = tf.gather(latents, tf.tensor1d(rows, "int32"));
        const captions = rows.map((row) => {
          const caption = sampleCaption(set.items[pool[row]], own);
          const drawn = own.number();
          if (drawn < 0.125) return "";
          return drawn < 0.34 ? caption : `${appearances[row]} ${caption}`;
        });
        const timesteps = own.integerArray(batchSize, 0, schedulerConfig.num_train_timesteps);
        const noise = own.normal(x0.shape) as tf.Tensor4D;
        const { lastHiddenState } = textEncoder.forward(tokenizer.encode(captions));
        const predicted = unet.forward(
          scheduler.addNoise(x0, noise, timesteps),
          tf.tensor1d(timesteps, "int32"),
          { encoderHiddenStates: lastHiddenState },
        );
        return tf.mean(tf.square(tf.sub(predicted, scheduler.target(x0, noise, timesteps)))) as tf.Scalar;
      }),
  });
  latents.dispose();
  return { model: unet, curve };
}

function encodeAll(vae: AutoencoderKL, set: EmojiData, pool: number[], random: Random): tf.Tensor4D {
  return tf.tidy(() => {
    const chunks: tf.Tensor4D[] = [];
    for (let i = 0; i < pool.length; i += 128) {
      chunks.push(encodeLatents(vae, set, pool.slice(i, i + 128), random.fork(`latents/${i}`)));
    }
    return tf.concat(chunks);
  });
}

/** Where {@link evaluateUNet} looks: the middles of ten equal bins. */
export const evaluationTimesteps = Array.from({ length: 10 }, (_, bin) => 50 + 100 * bin);

/**
 * Denoising loss on the held-out codes with the right, another emoji's and the empty caption. Noise is a function of
 * seed and timestep, so that a part of the timesteps gives the same figures as all of them.
 */
export function evaluateUNet(
  parts: Parts,
  set: EmojiData,
  seed: number,
  timesteps: readonly number[] = evaluationTimesteps,
): UNetFigures {
  const { unet, vae, textEncoder, tokenizer } = parts;
  const scheduler = new DDPMScheduler(schedulerConfig);
  const random = new Random(seed).fork("unet-evaluation");
  const indices = validationIndices(set);
  const right = indices.map((i) => `${appearanceOf(set.images, i)} ${styledCaption(set.items[i])}`);
  // The styles of an emoji are neighbours, so a shift by an even half of the list is another emoji of the same style.
  const half = 2 * Math.floor(right.length / 4);
  const captions = {
    rightCaption: right,
    wrongCaption: right.map((_, i) => right[(i + half) % right.length]),
    emptyCaption: right.map(() => ""),
  };
  const states = Object.entries(captions).map(
    ([name, texts]) =>
      [name, tf.tidy(() => textEncoder.forward(tokenizer.encode(texts)).lastHiddenState)] as const,
  );
  const x0 = encodeLatents(vae, set, indices, random.fork("latents"));
  const byTimestep = timesteps.map((timestep) =>
    tf.tidy(() => {
      const rows = new Int32Array(indices.length).fill(timestep);
      const noise = random.fork(timestep).normal(x0.shape) as tf.Tensor4D;
      const noisy = scheduler.addNoise(x0, noise, rows);
      const losses = states.map(([name, encoderHiddenStates]) => {
        const predicted = unet.forward(noisy, tf.tensor1d(rows, "int32"), { encoderHiddenStates });
        return [name, tf.mean(tf.square(tf.sub(predicted, noise))).dataSync()[0]] as const;
      });
      return { timestep, ...(Object.fromEntries(losses) as unknown as DenoisingLoss) };
    }),
  );
  tf.dispose([x0, ...states.map(([, state]) => state)]);
  const mean = (name: keyof DenoisingLoss) =>
    byTimestep.reduce((sum, bin) => sum + bin[name], 0) / byTimestep.length;
  return {
    rightCaption: mean("rightCaption"),
    wrongCaption: mean("wrongCaption"),
    emptyCaption: mean("emptyCaption"),
    images: indices.length,
    byTimestep,
  };
}
