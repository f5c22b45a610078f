import * as tf from "@tensorflow/tfjs-core";
import { type Features, openSameWidth } from "../features/open-features.js";
import { rowCosines } from "../features/similarity-rows.js";
import { checkTieTolerance, type TieOptions } from "../features/tie-tolerance.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { wilsonInterval } from "../statistics/wilson-interval.js";

export interface CaptionChoiceOptions extends TieOptions {
  /** `[images, dim]`. */
  images: Features;
  /** Captions that describe an image, `[n, dim]`. */
  captions: Features;
  /** Captions that do not, `[m, dim]`. */
  negatives: Features;
  /** The image of each caption. Default: one for each caption, in their order. */
  imageOf?: ArrayLike<number>;
  /** The caption that each negative stands against. Default: one for each caption, in their order. ARO's order task has four. */
  captionOf?: ArrayLike<number>;
  /** The category of each caption, such as `"replace_obj"`. Default: none. */
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
  /** Share of captions that their image prefers to every negative of theirs. */
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
 * Choice of a caption, the task of ARO (Yuksekgonul et al. 2023) and SugarCrepe (Hsieh et al. 2023): a caption is right when its image is
 * more similar to it than to every negative. A tie is never right.
 */
export async function captionChoice(options: CaptionChoiceOptions): Promise<CaptionChoiceScores> {
  const checked = checkOptions("captionChoice", options, {
    images: true,
    captions: true,
    negatives: true,
    imageOf: true,
    captionOf: true,
    categories: true,
    tieTolerance: true,
  });
  const tie = checkTieTolerance("captionChoice", checked);
  const { images, captions, negatives, categories } = checked;
  const opened = await openSameWidth("captionChoice", { images, captions, negatives });
  const gathered: tf.Tensor2D[] = [];
  try {
    const [k, n, m] = [opened.images, opened.captions, opened.negatives].map(({ shape }) => shape[0]);
    if (categories !== undefined && (!Array.isArray(categories) || categories.length !== n)) {
      throw new Error(
        `captionChoice: categories must name one for each of ${n} captions, got ${describe(categories)}`,
      );
    }
    const unnamed = categories?.findIndex((category) => typeof category !== "string") ?? -1;
    if (unnamed >= 0) {
      throw new TypeError(
        `captionChoice: categories[${unnamed}] must be a text, got ${describe(categories![unnamed])}`,
      );
    }
    const imageOf = checkPlaces(checked.imageOf, ["imageOf", "image", "captions"], [n, k]);
    const captionOf = checkPlaces(checked.captionOf, ["captionOf", "caption", "negatives"], [m, n]);
    const imagesAt = (rows: Int32Array) => {
      gathered.push(tf.tidy(() => tf.gather(opened.images, tf.tensor1d(rows, "int32"))));
      return gathered.at(-1)!;
    };
    const right = await rowCosines(imagesAt(imageOf), opened.captions);
    const imageOfNegative = captionOf.map((caption) => imageOf[caption]);
    const wrong = await rowCosines(imagesAt(imageOfNegative), opened.negatives);
    const ofCaption = Array.from({ length: n }, (): number[] => []);
    for (const [j, caption] of captionOf.entries()) ofCaption[caption].push(wrong[j]);
    const without = ofCaption.findIndex((list) => list.length === 0);
    if (without >= 0) throw new Error(`captionChoice: caption ${without} has no negative`);
    const examples = ofCaption.map(
      (similarities, i): CaptionChoiceResult => ({
        correct: similarities.every((similarity) => right[i] - similarity > tie),
        ...(categories && { category: categories[i] }),
        caption: right[i],
        negatives: similarities,
      }),
    );
    return summary(examples);
  } finally {
    tf.dispose([opened, gathered]);
  }
}

/** Where each of `count` rows belongs among `among` others; without a list each belongs to the one of its place. */
function checkPlaces(
  given: ArrayLike<number> | undefined,
  [name, what, rows]: [string, string, string],
  [count, among]: [number, number],
): Int32Array {
  if (given === undefined && count === among) return Int32Array.from({ length: count }, (_, i) => i);
  if (given?.length !== count) {
    const got = given === undefined ? "none" : describe(given?.length);
    throw new Error(`captionChoice: ${name} must hold the ${what} of each of ${count} ${rows}, got ${got}`);
  }
  for (let i = 0; i < count; i++)
    checkNumber(`captionChoice: ${name}[${i}]`, given[i], { min: 0, max: among - 1, integer: true });
  return Int32Array.from(given);
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
