import { clipLoss } from "@dcr-js/contrastive";
import type { CLIPTokenizer } from "@dcr-js/diffusion";
import { CLIPImageProcessor, CLIPModel } from "@dcr-js/encoders";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { clipCaption } from "../scenes/captions.js";
import type { SceneSet } from "../scenes/splits.js";
import { imageBatch, rowsOf } from "./image-batch.js";
import { textConfig } from "./text-config.js";
import { type CurvePoint, trainLoop } from "./train-loop.js";

/** Maps [0, 1] to [-1, 1]. */
export const imageProcessor = new CLIPImageProcessor({
  size: { shortest_edge: 32 },
  crop_size: { height: 32, width: 32 },
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
});

const BATCH_SIZE = 128;

/** Trains a CLIP on pairs of scene and caption. */
export async function pretrainClip(options: {
  set: SceneSet;
  tokenizer: CLIPTokenizer;
  seed: number;
  steps: number;
  checkpoints: string;
}): Promise<{ model: CLIPModel; curve: CurvePoint[] }> {
  const { set, tokenizer, seed, steps, checkpoints } = options;
  const random = new Random(seed).fork("clip");
  const model = new CLIPModel({
    projection_dim: 64,
    logit_scale_init_value: Math.log(1 / 0.07),
    text_config: textConfig(tokenizer),
    vision_config: {
      hidden_size: 64,
      intermediate_size: 256,
      num_hidden_layers: 3,
      num_attention_heads: 4,
      image_size: set.size,
      patch_size: 8,
    },
  }).initialize(random.fork("weights"));
  const curve = await trainLoop({
    name: "clip",
    parameters: model.trainableParameters(),
    steps,
    learningRate: 2e-3,
    weightDecay: 0.02,
    checkpoints,
    loss: (step) =>
      tf.tidy(() => {
        const own = random.fork(`step/${step}`);
        const rows = rowsOf(set.scenes.length, BATCH_SIZE, step, random);
        const captions = Array.from(rows, (row) => clipCaption(set.scenes[row], own));
        const images = imageProcessor.normalize(imageBatch(set, rows));
        const ids = tokenizer.encode(captions, { padding: "longest" });
        return clipLoss(
          model.encodeImage(images),
          model.encodeText(ids),
          tf.exp(model.logit_scale.value) as tf.Scalar,
        );
      }),
  });
  return { model, curve };
}
