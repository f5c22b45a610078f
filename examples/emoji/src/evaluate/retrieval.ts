import type { EvaluationInput } from "@dcr-js/cli";
import { recallAtK } from "@dcr-js/eval";
import * as tf from "@tensorflow/tfjs-core";
import { plainCaption } from "../data/captions.js";
import type { EmojiData } from "../data/emoji.js";
import { validationIndices } from "../pretrain/images.js";
import { encodeImages } from "./encode-images.js";

/** What an encoder finds among held-out emoji, skin tones left out. Ties count against it. */
export interface Retrieval {
  /** Share of images whose own caption is first, or among the first five, of all plain captions. */
  imageToText: { r1: number; r5: number; chanceR1: number; candidates: number };
  /** Share of google images whose nearest twitter image shows the same emoji. */
  crossStyle: { r1: number; chanceR1: number; candidates: number };
}

/** Measures {@link Retrieval} with the encoder as it is. */
export async function heldOutRetrieval(
  models: Pick<EvaluationInput, "encoder" | "processor" | "encodeText">,
  { items, images }: EmojiData,
): Promise<Retrieval> {
  const rows = validationIndices({ items, images });
  const shown = rows.map((row) => items[row]);
  const captions = [...new Set(shown.map(plainCaption))];
  const twitter = shown.flatMap(({ style }, at) => (style === "twitter" ? [at] : []));
  const twins = shown.flatMap(({ style, code }, at) =>
    style === "google" && twitter.some((other) => shown[other].code === code) ? [at] : [],
  );
  const features = encodeImages(models, images, rows);
  const texts = await models.encodeText(captions);
  const [fromGoogle, toTwitter] = [twins, twitter].map((at) => tf.gather(features, at));
  const byText = await recallAtK(features, texts, (i, j) => plainCaption(shown[i]) === captions[j], [1, 5]);
  const byStyle = await recallAtK(
    fromGoogle,
    toTwitter,
    (i, j) => shown[twins[i]].code === shown[twitter[j]].code,
    [1],
  );
  tf.dispose([features, texts, fromGoogle, toTwitter]);
  return {
    imageToText: {
      r1: byText[1],
      r5: byText[5],
      chanceR1: 1 / captions.length,
      candidates: captions.length,
    },
    crossStyle: { r1: byStyle[1], chanceR1: 1 / twitter.length, candidates: twitter.length },
  };
}
