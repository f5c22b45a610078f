import * as tf from "@tensorflow/tfjs-core";
import { type Features, openSameWidth } from "../features/open-features.js";
import { rowCosines } from "../features/similarity-rows.js";
import { checkTieTolerance, type TieOptions } from "../features/tie-tolerance.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { wilsonInterval } from "../statistics/wilson-interval.js";

export interface CaptionChoiceOptions extends TieOptions {
  /** `[n, dim]`. */
  images: Features;
  /** Of each image the caption that describes it, `[n, dim]`. */
  captions: Features;
  /** Captions that do not, `[m, dim]`, for all images one after the other. */
  negatives: Features;
  /** The image of each negative. Default: one for each image, in their order (SugarCrepe). ARO's order task has four. */
  imageOf?: ArrayLike<number>;
  /** The category of each image, such as `"replace_obj"`. Default: none. */
  categories?: readonly string[];
}

export interface CaptionChoiceResult {
  correct: boolean;
  category?: string;
  /** Similarity of the image with its caption. */
  caption: number;
  /** Similarities of the image with its negatives. */
  negatives: number[];
}

export interface CaptionChoiceScores {
  /** Share of images that prefer their caption to every negative. */
  accuracy: number;
  /** Wilson's 95 % interval. */
  interval: [number, number];
  count: number;
  /** Mean of the categories' accuracies, ARO's macro accuracy; the accuracy itself without categories. */
  macroAccuracy: number;
  byCategory: Record<string, { accuracy: number; count: number }>;
  examples: CaptionChoiceResult[];
}

/**
 * Choice of a caption, the task of ARO (Yuksekgonul et al. 2023) and SugarCrepe (Hsieh et al. 2023): an image is right when its caption is
 * more similar to it than every wrong caption. A tie is never right.
 */
export async function captionChoice(options: CaptionChoiceOptions): Promise<CaptionChoiceScores> {
  const checked = checkOptions("captionChoice", options, {
    images: true,
    captions: true,
    negatives: true,
    imageOf: true,
    categories: true,
    tieTolerance: true,
  });
  const tie = checkTieTolerance("captionChoice", checked);
  const { images, captions, negatives, categories } = checked;
  const opened = await openSameWidth("captionChoice", { images, captions, negatives });
  let repeated: tf.Tensor2D | undefined;
  try {
    const [n, m] = [opened.images.shape[0], opened.negatives.shape[0]];
    if (opened.captions.shape[0] !== n) {
      throw new Error(
        `captionChoice: captions must have ${n} rows, one for each image, got [${opened.captions.shape}]`,
      );
    }
    if (categories !== undefined && (!Array.isArray(categories) || categories.length !== n)) {
      throw new Error(
        `captionChoice: categories must name one for each of ${n} images, got ${describe(categories)}`,
      );
    }
    const imageOf = checkImageOf(checked.imageOf, n, m);
    repeated = tf.tidy(() => tf.gather(opened.images, tf.tensor1d(imageOf, "int32")));
    const right = await rowCosines(opened.images, opened.captions);
    const wrong = await rowCosines(repeated, opened.negatives);
    const ofImage = Array.from({ length: n }, (): number[] => []);
    for (const [j, image] of imageOf.entries()) ofImage[image].push(wrong[j]);
    const without = ofImage.findIndex((list) => list.length === 0);
    if (without >= 0) throw new Error(`captionChoice: image ${without} has no negative`);
    const examples = ofImage.map(
      (similarities, i): CaptionChoiceResult => ({
        correct: similarities.every((similarity) => right[i] - similarity > tie),
        ...(categories && { category: categories[i] }),
        caption: right[i],
        negatives: similarities,
      }),
    );
    return summary(examples);
  } finally {
    tf.dispose(opened);
    repeated?.dispose();
  }
}

function checkImageOf(imageOf: ArrayLike<number> | undefined, n: number, m: number): Int32Array {
  if (imageOf === undefined && n === m) return Int32Array.from({ length: n }, (_, i) => i);
  if (imageOf?.length !== m) {
    const got = imageOf === undefined ? "none" : `${imageOf?.length}`;
    throw new Error(`captionChoice: imageOf must hold an image for each of ${m} negatives, got ${got}`);
  }
  for (let j = 0; j < m; j++)
    checkNumber(`captionChoice: imageOf[${j}]`, imageOf[j], { min: 0, max: n - 1, integer: true });
  return Int32Array.from(imageOf);
}

function summary(examples: CaptionChoiceResult[]): CaptionChoiceScores {
  const share = (list: CaptionChoiceResult[]) => list.filter(({ correct }) => correct).length / list.length;
  const names = [...new Set(examples.flatMap(({ category }) => (category === undefined ? [] : [category])))];
  const byCategory = Object.fromEntries(
    names.map((name) => {
      const own = examples.filter(({ category }) => category === name);
      return [name, { accuracy: share(own), count: own.length }];
    }),
  );
  const accuracy = share(examples);
  const parts = Object.values(byCategory);
  const macroAccuracy =
    parts.length === 0 ? accuracy : parts.reduce((sum, part) => sum + part.accuracy, 0) / parts.length;
  const count = examples.length;
  return { accuracy, interval: wilsonInterval(accuracy, count), count, macroAccuracy, byCategory, examples };
}
