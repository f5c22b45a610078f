import type { EvaluationInput } from "@dcr-js/cli";
import { createDenoiser, Projector } from "@dcr-js/dcr";
import { DDIMScheduler, loadStableDiffusion } from "@dcr-js/diffusion";
import { Random, readSafetensors } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import sharp from "sharp";
import type { EmojiData } from "../data/emoji.js";
import { IMAGE_SIZE, imageTensor } from "../data/images.js";
import { discriminationSet, type EvaluatedSplit } from "./evaluate.js";

const count = 10;
const samplingSteps = 20;
const rowNumbers = Int32Array.from({ length: count }, (_, i) => i);

/**
 * What the denoiser paints from noise when all that it knows of an image is the encoder's feature: a row of held-out
 * originals above a row of samples, the same noise for every method.
 *
 * @returns a PNG file
 */
export async function paintReconstructions(
  {
    encoder,
    processor,
    seed,
    projector: projectorFile,
    diffusion: folder,
  }: EvaluationInput & { projector: string; diffusion: string },
  emoji: EmojiData,
  split: EvaluatedSplit,
): Promise<Uint8Array> {
  const { rows } = discriminationSet(emoji, split);
  const chosen = Array.from({ length: count }, (_, i) => rows[Math.floor((i * rows.length) / count)]);
  const diffusion = await loadStableDiffusion(folder);
  const denoiser = createDenoiser(diffusion);
  const projector = new Projector(encoder.featureSize, denoiser.conditionSize);
  const weights = await readSafetensors(projectorFile);
  projector.loadStateDict(weights);
  tf.dispose(weights as tf.NamedTensorMap);
  const scheduler = new DDIMScheduler(diffusion.scheduler.config);
  const painting = tf.tidy(() => {
    const images = imageTensor(emoji.images, chosen);
    const conditions = projector.forward(encoder.encodeImage(processor.normalize(images)));
    const side = IMAGE_SIZE / diffusion.vae.factor;
    let sample = new Random(seed)
      .fork("reconstructions")
      .normal([count, side, side, diffusion.vae.config.latent_channels]) as tf.Tensor4D;
    for (const t of scheduler.timesteps(samplingSteps)) {
      sample = tf.tidy(() => {
        const prepared = denoiser.prepare(sample, new Int32Array(count).fill(t));
        const predicted = denoiser.predict(prepared, rowNumbers, conditions);
        return scheduler.step(predicted, t, sample, samplingSteps);
      });
    }
    const decoded = diffusion.vae.decode(tf.div(sample, diffusion.vae.config.scaling_factor));
    const painted = tf.clipByValue(tf.div(tf.add(decoded, 1), 2), 0, 1);
    const line = (x: tf.Tensor) =>
      tf.reshape(tf.transpose(x, [1, 0, 2, 3]), [IMAGE_SIZE, count * IMAGE_SIZE, 3]);
    return tf.round(tf.mul(tf.concat([line(images), line(painted)]), 255));
  });
  const pixels = await painting.data();
  painting.dispose();
  denoiser.dispose();
  for (const model of [projector, diffusion.unet, diffusion.vae, diffusion.textEncoder]) model.dispose();
  return sharp(Uint8Array.from(pixels), {
    raw: { width: count * IMAGE_SIZE, height: 2 * IMAGE_SIZE, channels: 3 },
  })
    .png()
    .toBuffer();
}
