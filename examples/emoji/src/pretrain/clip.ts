import { clipLoss } from "@dcr-js/contrastive";
import { CLIPImageProcessor, CLIPModel } from "@dcr-js/dcr";
import type { CLIPTokenizer } from "@dcr-js/diffusion";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { augmentView } from "../data/augment-view.js";
import { sampleCaption } from "../data/captions.js";
import type { EmojiData } from "../data/emoji.js";
import { IMAGE_SIZE, imageAt } from "../data/images.js";
import { heldOutRetrieval, type Retrieval } from "../evaluate/retrieval.js";
import { batchOf, trainingIndices } from "./images.js";
import { type CurvePoint, trainLoop } from "./train-loop.js";

/** ImageNet-like statistics do not fit pictures on white: these map [0, 1] to about [-1, 1]. */
export const imageProcessor = new CLIPImageProcessor({
  size: { shortest_edge: 32 },
  crop_size: { height: 32, width: 32 },
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
});

export async function pretrainClip(
  set: EmojiData,
  tokenizer: CLIPTokenizer,
  options: { seed: number; steps: number; minutes?: number; checkpoints: string },
): Promise<{ model: CLIPModel; curve: CurvePoint[]; figures: Retrieval }> {
  const random = new Random(options.seed).fork("clip");
  const model = new CLIPModel({
    projection_dim: 64,
    logit_scale_init_value: Math.log(1 / 0.07),
    text_config: {
      vocab_size: tokenizer.vocabSize,
      hidden_size: 96,
      intermediate_size: 384,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      max_position_embeddings: tokenizer.modelMaxLength,
      eos_token_id: tokenizer.eosTokenId,
      bos_token_id: tokenizer.eosTokenId - 1,
      pad_token_id: tokenizer.eosTokenId,
    },
    vision_config: {
      hidden_size: 96,
      intermediate_size: 384,
      num_hidden_layers: 3,
      num_attention_heads: 4,
      image_size: IMAGE_SIZE,
      patch_size: 4,
    },
  }).initialize(random.fork("weights"));
  const pool = trainingIndices(set);
  const batchSize = 64;
  // No flips: captions name directions.
  const augmentation = { horizontalFlip: 0, verticalFlip: 0, scale: [0.7, 1] } as const;
  const curve = await trainLoop({
    name: "clip",
    parameters: model.trainableParameters(),
    steps: options.steps,
    minutes: options.minutes,
    learningRate: 1e-3,
    weightDecay: 0.05,
    checkpoints: options.checkpoints,
    loss: (step) =>
      tf.tidy(() => {
        const own = random.fork(`step/${step}`);
        const batch = batchOf(pool, batchSize, step, random);
        const views = batch.map((i) => augmentView(imageAt(set.images, i), IMAGE_SIZE, own, augmentation));
        const images = imageProcessor.normalize(
          tf.reshape(tf.stack(views.map((view) => tf.tensor1d(view))), [
            batchSize,
            IMAGE_SIZE,
            IMAGE_SIZE,
            3,
          ]) as tf.Tensor4D,
        );
        const ids = tokenizer.encode(batch.map((i) => sampleCaption(set.items[i], own)));
        return clipLoss(model.encodeImage(images), model.encodeText(ids), tf.exp(model.logit_scale.value));
      }),
  });
  return { model, curve, figures: await evaluateClip(model, tokenizer, set) };
}

/** Retrieval on the held-out codes, with this example's image processor. */
export function evaluateClip(
  encoder: CLIPModel,
  clipTokenizer: CLIPTokenizer,
  set: EmojiData,
): Promise<Retrieval> {
  const encodeText = async (texts: string[]) =>
    tf.tidy(() => encoder.encodeText(clipTokenizer.encode(texts)));
  return heldOutRetrieval({ encoder, processor: imageProcessor, encodeText }, set);
}
