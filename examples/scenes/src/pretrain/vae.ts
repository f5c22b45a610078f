import { AutoencoderKL, sampleLatents } from "@dcr-js/diffusion";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { SceneSet } from "../scenes/splits.js";
import { imageBatch, rowsOf, toSigned } from "./image-batch.js";
import { type CurvePoint, trainLoop } from "./train-loop.js";

const BATCH_SIZE = 16;
/** Weight of the divergence from N(0, 1): a little, so that latents stay in bounds. */
const DIVERGENCE_WEIGHT = 2e-4;

/** Trains an auto-encoder of 8 x 8 latents; `scaling_factor` gives them a standard deviation of 1. */
export async function pretrainVae(options: {
  set: SceneSet;
  seed: number;
  steps: number;
  checkpoints: string;
}): Promise<{ model: AutoencoderKL; curve: CurvePoint[] }> {
  const { set, seed, steps, checkpoints } = options;
  const random = new Random(seed).fork("vae");
  const architecture = {
    down_block_types: Array(3).fill("DownEncoderBlock2D") as "DownEncoderBlock2D"[],
    up_block_types: Array(3).fill("UpDecoderBlock2D") as "UpDecoderBlock2D"[],
    block_out_channels: [8, 16, 32],
    layers_per_block: 1,
    latent_channels: 8,
    norm_num_groups: 4,
    sample_size: set.size,
  };
  const trained = new AutoencoderKL(architecture).initialize(random.fork("weights"));
  const curve = await trainLoop({
    name: "vae",
    parameters: trained.trainableParameters(),
    steps,
    learningRate: 3e-3,
    weightDecay: 0,
    averageDecay: 0.99,
    checkpoints,
    loss: (step) =>
      tf.tidy(() => {
        const own = random.fork(`step/${step}`);
        const x = toSigned(imageBatch(set, rowsOf(set.scenes.length, BATCH_SIZE, step, random)));
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
        return tf.add(reconstruction, tf.mul(divergence, DIVERGENCE_WEIGHT)) as tf.Scalar;
      }),
  });
  const spread = tf.tidy(() => {
    const rows = Array.from({ length: 1000 }, (_, i) => i);
    return tf.sqrt(tf.moments(trained.encode(toSigned(imageBatch(set, rows))).mean).variance).dataSync()[0];
  });
  const model = new AutoencoderKL({ ...architecture, scaling_factor: Number((1 / spread).toPrecision(5)) });
  const weights = trained.stateDict();
  model.loadStateDict(weights);
  tf.dispose(weights);
  trained.dispose();
  return { model, curve };
}
