import {
  CLIPImageProcessor,
  CLIPModel,
  createDenoiser,
  createLatentEncoder,
  Projector,
  type TheoremOne,
  theoremOne,
} from "@dcr-js/dcr";
import { loadStableDiffusion } from "@dcr-js/diffusion";
import { Random, readSafetensors } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { heldOutStyles, knownIdentities } from "../scenes/factors.js";
import { sceneSet } from "../scenes/splits.js";
import { loadSprites } from "../scenes/sprites.js";
import type { Cell } from "./cells.js";
import { methodNames } from "./comparisons.js";
import { measurementFile } from "./measurement-file.js";
import { trainedEncoders } from "./trained-encoders.js";

/** Scenes whose features and predictions scatter: about eight of each class. */
const count = 256;
/** Every prediction is made for each of these scenes' latents, at each timestep. */
const images = 4;
const timesteps = [400, 600];

/** Theorem 1's quantities in a run, by method; for each image and timestep one entry. */
export interface TheoremOneResult {
  timesteps: number[];
  methods: Record<string, TheoremOne[]>;
}

export const theoremOneFile = measurementFile<TheoremOneResult>("question-6");

/**
 * Measures Theorem 1's quantities of the encoders of a finished cell of question 1, and writes them.
 *
 * @throws where the cell's encoders are not there
 */
export async function measureTheoremOne(cell: Cell): Promise<void> {
  const trained = trainedEncoders(cell);
  const { vae, scheduler, unet, textEncoder, tokenizer } = await loadStableDiffusion(trained.diffusion);
  const denoiser = createDenoiser({ unet, textEncoder, tokenizer });
  const methods: TheoremOneResult["methods"] = {};
  const own: tf.Tensor[] = [];
  try {
    const { size, pixels, labels } = await drawScenes();
    const first = pixels.subarray(0, images * size * size * 3);
    const posterior = await createLatentEncoder(vae, { microBatch: images }).encode(first, size);
    const x0 = tf.tidy(() => tf.mul(posterior.mean, vae.config.scaling_factor) as tf.Tensor4D);
    own.push(posterior.mean, posterior.logvar, x0);
    const noise = new Random(cell.seed).fork("theorem-1").normal(x0.shape) as tf.Tensor4D;
    own.push(noise);
    for (const name of methodNames(cell.part)) {
      const [features, conditions] = await encode(
        { encoder: trained.encoder(name), projector: trained.projector(name), size, pixels },
        denoiser.conditionSize,
      );
      own.push(features, conditions);
      methods[name] = [];
      for (const timestep of timesteps) {
        const all = new Int32Array(images).fill(timestep);
        const noisy = scheduler.addNoise(x0, noise, all);
        const prepared = denoiser.prepare(noisy, all);
        for (let image = 0; image < images; image++) {
          const rows = new Int32Array(count).fill(image);
          const noises = tf.tidy(() => denoiser.predict(prepared, rows, conditions));
          methods[name].push(await theoremOne(features, noises, labels));
          noises.dispose();
        }
        noisy.dispose();
        prepared.dispose();
      }
    }
  } finally {
    tf.dispose(own);
    for (const module of [vae, unet, textEncoder]) module.dispose();
    denoiser.dispose();
  }
  await theoremOneFile.write(cell, { timesteps, methods });
}

/** Test scenes of what CLIP knows, in the held-out style. */
async function drawScenes(): Promise<{ size: number; pixels: Float32Array; labels: Int32Array }> {
  const [size, sprites] = [32, await loadSprites()];
  const own = { split: "test", seed: 0, name: "theorem 1", identities: knownIdentities } as const;
  const { scenes, images } = sceneSet({ ...own, styles: heldOutStyles, count, size, sprites });
  return {
    size,
    pixels: Float32Array.from(images, (value) => value / 255),
    labels: Int32Array.from(scenes, ({ identity }) => knownIdentities.indexOf(identity)),
  };
}

/** Features, as the projector takes them, and the conditions that it makes of them; the caller disposes both. */
async function encode(
  from: { encoder: string; projector: string; size: number; pixels: Float32Array },
  conditionSize: number,
): Promise<[tf.Tensor2D, tf.Tensor2D]> {
  const encoder = await CLIPModel.fromPretrained(from.encoder);
  const processor = await CLIPImageProcessor.fromPretrained(from.encoder);
  const projector = new Projector(encoder.featureSize, conditionSize);
  const weights = await readSafetensors(from.projector, { finite: true });
  try {
    projector.loadStateDict(weights);
    return tf.tidy(() => {
      const pixels = tf.tensor4d(from.pixels, [count, from.size, from.size, 3]);
      const features = encoder.encodeImage(processor.normalize(pixels)) as tf.Tensor2D;
      return [features, projector.forward(features)] as never;
    }) as unknown as [tf.Tensor2D, tf.Tensor2D];
  } finally {
    tf.dispose(weights as tf.NamedTensorMap);
    encoder.dispose();
    projector.dispose();
  }
}
