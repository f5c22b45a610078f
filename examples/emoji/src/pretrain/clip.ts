import { clipLoss } from "@dcr-js/contrastive";
import { augmentView, CLIPImageProcessor, CLIPModel } from "@dcr-js/dcr";
import type { CLIPTokenizer } from "@dcr-js/diffusion";
import { l2Normalize, Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { plainCaption, sampleCaption } from "../data/captions.js";
import type { EmojiData } from "../data/emoji.js";
import { IMAGE_SIZE, imageAt, imageTensor } from "../data/images.js";
import { batchOf, trainingIndices, validationIndices } from "./images.js";
import { type CurvePoint, trainLoop } from "./train-loop.js";

/** ImageNet-like statistics do not fit pictures on white: these map [0, 1] to about [-1, 1]. */
export const imageProcessor = new CLIPImageProcessor({
  size: { shortest_edge: 32 },
  crop_size: { height: 32, width: 32 },
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
});

export interface ClipFigures {
  /** Share of held-out images (plain caption of the same style's set as candidates) whose own caption ranks first. */
  imageToText: { r1: number; r5: number; chanceR1: number; candidates: number };
  /** Share of held-out google images whose nearest twitter image shows the same emoji. */
  crossStyle: { r1: number; chanceR1: number; candidates: number };
}

export async function pretrainClip(
  set: EmojiData,
  tokenizer: CLIPTokenizer,
  options: { seed: number; steps: number; minutes?: number; checkpoints: string },
): Promise<{ model: CLIPModel; curve: CurvePoint[]; figures: ClipFigures }> {
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
        return clipLoss(model.encodeImage(images), model.encodeText(ids), model.logit_scale.value);
      }),
  });
  return { model, curve, figures: evaluateClip(model, tokenizer, set) };
}

/** Retrieval on the held-out codes, skin tones left out. */
export function evaluateClip(model: CLIPModel, tokenizer: CLIPTokenizer, set: EmojiData): ClipFigures {
  const indices = validationIndices(set);
  const byStyle = (style: string) => indices.filter((i) => set.items[i].style === style);
  const [google, twitter] = [byStyle("google"), byStyle("twitter")];
  return tf.tidy(() => {
    const encode = (at: number[]) =>
      l2Normalize(model.encodeImage(imageProcessor.normalize(imageTensor(set.images, at))));
    const captions = Array.from(new Set(indices.map((i) => plainCaption(set.items[i]))));
    const texts = l2Normalize(model.encodeText(tokenizer.encode(captions)));
    const ranks = rankOf(tf.matMul(encode(indices), texts, false, true).arraySync() as number[][], (i) =>
      captions.indexOf(plainCaption(set.items[indices[i]])),
    );
    const twins = rankOf(
      tf.matMul(encode(google), encode(twitter), false, true).arraySync() as number[][],
      (i) => twitter.findIndex((j) => set.items[j].code === set.items[google[i]].code),
    );
    const within = (list: number[], k: number) => list.filter((rank) => rank < k).length / list.length;
    return {
      imageToText: {
        r1: within(ranks, 1),
        r5: within(ranks, 5),
        chanceR1: 1 / captions.length,
        candidates: captions.length,
      },
      crossStyle: { r1: within(twins, 1), chanceR1: 1 / twitter.length, candidates: twitter.length },
    };
  });
}

/** How many candidates score above the right one, for each row; rows without one are left out. */
function rankOf(scores: number[][], right: (row: number) => number): number[] {
  return scores.flatMap((row, i) => {
    const target = right(i);
    return target < 0 ? [] : [row.filter((score) => score > row[target]).length];
  });
}
