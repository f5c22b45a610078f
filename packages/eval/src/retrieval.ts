import type * as tf from "@tensorflow/tfjs-core";
import { cosineMatrix } from "./cosine.js";

/**
 * Recall at k: the share of queries with a right candidate among the k most similar ones. Ties count against it: a
 * candidate that scores as high as the right one stands before it.
 *
 * @param queries `[n, dim]`. @param candidates `[m, dim]`. @param isRight whether candidate j answers query i.
 */
export async function recallAtK(
  queries: tf.Tensor2D,
  candidates: tf.Tensor2D,
  isRight: (query: number, candidate: number) => boolean,
  ks: readonly number[],
): Promise<Record<number, number>> {
  const scores = await cosineMatrix(queries, candidates);
  const ranks = scores.map((row, i) => {
    let best = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < row.length; j++) if (isRight(i, j)) best = Math.max(best, row[j]);
    if (best === Number.NEGATIVE_INFINITY) throw new Error(`recallAtK: query ${i} has no right candidate`);
    let above = 0;
    for (let j = 0; j < row.length; j++) if (row[j] >= best && !isRight(i, j)) above++;
    return above;
  });
  return Object.fromEntries(ks.map((k) => [k, ranks.filter((rank) => rank < k).length / ranks.length]));
}

/**
 * Zero-shot classification (Radford et al. 2021, section 3.1): the share of images whose most similar class text is
 * their own class's. Ties count against it.
 *
 * @param images `[n, dim]`. @param classTexts `[classes, dim]`, for several prompts their mean.
 * @param labels the class of each image.
 */
export async function zeroShotAccuracy(
  images: tf.Tensor2D,
  classTexts: tf.Tensor2D,
  labels: ArrayLike<number>,
): Promise<number> {
  if (labels.length !== images.shape[0]) {
    throw new Error(
      `zeroShotAccuracy: expected ${images.shape[0]} labels, one for each image, got ${labels.length}`,
    );
  }
  const classes = classTexts.shape[0];
  const unknown = Array.from(labels).find(
    (label) => !(Number.isInteger(label) && label >= 0 && label < classes),
  );
  if (unknown !== undefined) {
    throw new Error(`zeroShotAccuracy: labels must be rows of classTexts, 0..${classes - 1}, got ${unknown}`);
  }
  return (await recallAtK(images, classTexts, (image, text) => labels[image] === text, [1]))[1];
}
