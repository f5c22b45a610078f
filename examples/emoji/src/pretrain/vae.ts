import { AutoencoderKL, sampleLatents } from "@dcr-js/diffusion";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { EmojiData } from "../data/emoji.js";
import { IMAGE_SIZE, imageTensor } from "../data/images.js";
import { batchOf, toSigned, trainingIndices, validationIndices } from "./images.js";
import { type CurvePoint, trainLoop } from "./train-loop.js";

export interface VaeFigures {
  /** Peak signal-to-noise ratio of held-out images, mean over images, in dB. */
  psnr: number;
  images: number;
}

export async function pretrainVae(
  set: EmojiData,
  options: { seed: number; steps: number; minutes?: number; checkpoints: string },
): Promise<{ model: AutoencoderKL; curve: CurvePoint[] }> {
  const random = new Random(options.seed).fork("vae");
  const architecture = {
    down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"] as const,
    up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"] as const,
    block_out_channels: [16, 32, 48],
    layers_per_block: 1,
    latent_channels: 4,
    norm_num_groups: 8,
    sample_size: IMAGE_SIZE,
  };
  const trained = new AutoencoderKL(architecture as never).initialize(random.fork("weights"));
  const pool = trainingIndices(set);
  const batchSize = 32;
  const curve = await trainLoop({
    name: "vae",
    parameters: trained.trainableParameters(),
    steps: options.steps,
    minutes: options.minutes,
    learningRate: 2e-3,
    weightDecay: 0,
    averageDecay: 0.99,
    checkpoints: options.checkpoints,
    loss: (step) =>
      tf.tidy(() => {
        const own = random.fork(`step/${step}`);
        const batch = batchOf(pool, batchSize, step, random);
        const x = toSigned(imageTensor(set.images, batch));
        const { mean, logvar } = trained.encode(x);
        const decoded = trained.decode(
          sampleLatents({ mean, logvar }, own.normal(mean.shape) as tf.Tensor4D),
        );
        const difference = tf.sub(decoded, x);
        const reconstruction = tf.add(tf.mean(tf.abs(difference)), tf.mean(tf.square(difference)));
        const divergence = tf.mul(
          0.5,
          tf.mean(tf.sub(tf.add(tf.square(mean), tf.exp(logvar)), tf.add(logvar, 1))),
        );
        return tf.add(reconstruction, tf.mul(divergence, 1e-4)) as tf.Scalar;
      }),
  });
  const spread = tf.tidy(() => {
    const { mean } = trained.encode(
      toSigned(
        imageTensor(
          set.images,
          pool.filter((_, i) => i % 8 === 0),
        ),
      ),
    );
    return tf.sqrt(tf.moments(mean).variance).dataSync()[0];
  });
  const scaling_factor = Number((1 / spread).toPrecision(5));
  const model = new AutoencoderKL({ ...architecture, scaling_factor } as never);
  const weights = trained.stateDict();
  model.loadStateDict(weights);
  tf.dispose(weights);
  trained.dispose();
  return { model, curve };
}

/** Reconstruction of the held-out codes from the posterior's mean. */
export function evaluateVae(model: AutoencoderKL, set: EmojiData): VaeFigures {
  const indices = validationIndices(set);
  const psnr = tf.tidy(() => {
    const images = imageTensor(set.images, indices);
    const decoded = model.decode(model.encode(toSigned(images)).mean);
    const restored = tf.clipByValue(tf.div(tf.add(decoded, 1), 2), 0, 1);
    const errors = tf.mean(tf.square(tf.sub(restored, images)), [1, 2, 3]).dataSync() as Float32Array;
    return errors.reduce((sum, error) => sum - 10 * Math.log10(error), 0) / errors.length;
  });
  return { psnr, images: indices.length };
}
