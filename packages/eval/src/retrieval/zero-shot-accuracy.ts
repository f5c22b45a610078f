import * as tf from "@tensorflow/tfjs-core";
import { checkClasses } from "../features/check-labels.js";
import { type Features, openSameWidth } from "../features/open-features.js";
import { forEachSimilarityRow } from "../features/similarity-rows.js";
import { checkTieTolerance, type TieOptions } from "../features/tie-tolerance.js";
import { checkOptions } from "../shared/check-options.js";

export interface ZeroShotScores {
  /** Share of images whose most similar class text is their own class's. */
  top1: number;
  /** Share of images whose own class is among the five most similar; 1 where there are at most five classes and no ties. */
  top5: number;
  /** Mean over the classes that occur of their top-1 accuracy. */
  meanPerClass: number;
  /** Top-1 accuracy of each class; NaN for one that does not occur. */
  perClass: Float64Array;
  /** For each image how many other classes are as similar or more. */
  ranks: Int32Array;
  /** The most similar class of each image, the first of equally similar ones; so the right class of a tie may be here, which `top1` counts as wrong. */
  predictions: Int32Array;
}

/**
 * Zero-shot classification (Radford et al. 2021, section 3.1). A tie counts against the right class.
 *
 * @param images `[n, dim]`. @param classTexts `[classes, dim]`, such as {@link zeroShotClassifier}'s
 * @param labels the class of each image, a row of `classTexts`
 */
export async function zeroShotScores(
  images: Features,
  classTexts: Features,
  labels: ArrayLike<number>,
  options?: TieOptions,
): Promise<ZeroShotScores> {
  const checked = checkOptions("zeroShotScores", options, { tieTolerance: true });
  return score("zeroShotScores", { images, classTexts }, labels, checked);
}

/** The top-1 accuracy of {@link zeroShotScores} only. */
export async function zeroShotAccuracy(
  images: Features,
  classTexts: Features,
  labels: ArrayLike<number>,
  options?: TieOptions,
): Promise<number> {
  const checked = checkOptions("zeroShotAccuracy", options, { tieTolerance: true });
  return (await score("zeroShotAccuracy", { images, classTexts }, labels, checked)).top1;
}

async function score(
  caller: string,
  inputs: { images: Features; classTexts: Features },
  labels: ArrayLike<number>,
  options: TieOptions,
): Promise<ZeroShotScores> {
  const tie = checkTieTolerance(caller, options);
  const opened = await openSameWidth(caller, inputs);
  const [n, classes] = [opened.images.shape[0], opened.classTexts.shape[0]];
  const ranks = new Int32Array(n);
  const predictions = new Int32Array(n);
  try {
    checkClasses(`${caller}: labels`, labels, { n, classes });
    await forEachSimilarityRow(opened.images, opened.classTexts, (image, similarities) => {
      const own = similarities[labels[image]] - tie;
      for (let j = 0; j < classes; j++) {
        if (j !== labels[image] && similarities[j] >= own) ranks[image]++;
        if (similarities[j] > similarities[predictions[image]]) predictions[image] = j;
      }
    });
  } finally {
    tf.dispose([opened.images, opened.classTexts]);
  }
  const [right, counts] = [new Float64Array(classes), new Float64Array(classes)];
  for (let i = 0; i < n; i++) {
    counts[labels[i]]++;
    if (ranks[i] === 0) right[labels[i]]++;
  }
  const perClass = right.map((count, c) => count / counts[c]);
  const known = perClass.filter((accuracy) => !Number.isNaN(accuracy));
  const share = (k: number) => ranks.filter((rank) => rank < k).length / n;
  return {
    top1: share(1),
    top5: share(5),
    meanPerClass: known.reduce((sum, accuracy) => sum + accuracy, 0) / known.length,
    perClass,
    ranks,
    predictions,
  };
}
