import { checkNumber, describe } from "../shared/check-options.js";

/** How a step's direction serves each loss. */
export interface StepProjection {
  /**
   * The projection of the direction on each gradient, as a share of that gradient: 1 moves the loss as its own gradient would, 0 not at
   * all, and below 0 against it. 0 for a gradient of length 0.
   */
  shares: Record<string, number>;
  /** Cosine of the angle between the direction and each gradient; 0 where one is zero. */
  cosines: Record<string, number>;
}

/**
 * How the direction `sum_i w_i g_i` serves each loss, from the gradients' inner products.
 *
 * @param names of the losses, in the order of the matrix
 * @param gram `m * m` inner products, row by row; those of a group of variables give the group's projection
 * @throws when the sizes disagree, or a number is not finite
 */
export function stepProjection(
  names: readonly string[],
  gram: ArrayLike<number>,
  weights: ArrayLike<number>,
): StepProjection {
  if (!Array.isArray(names)) {
    throw new TypeError(
      `stepProjection: names must be an array of the losses' names, got ${describe(names)}`,
    );
  }
  const m = names.length;
  if (gram?.length !== m * m || weights?.length !== m) {
    throw new Error(
      `stepProjection: expected ${m * m} inner products and ${m} weights for ${m} losses, got ${gram?.length ?? describe(gram)} and ${weights?.length ?? describe(weights)}`,
    );
  }
  for (let at = 0; at < m * m; at++) {
    // A square is at least 0.
    const range = at % (m + 1) === 0 ? { min: 0 } : {};
    checkNumber(`stepProjection: gram[${at}]`, gram[at], range);
  }
  for (let i = 0; i < m; i++) checkNumber(`stepProjection: weights[${i}]`, weights[i]);
  const inner = names.map((_, i) => names.reduce((sum, _, j) => sum + gram[i * m + j] * weights[j], 0));
  const squared = inner.reduce((sum, value, i) => sum + value * weights[i], 0);
  return projectionFrom(names, { inner, norms: names.map((_, i) => Math.sqrt(gram[i * (m + 1)])), squared });
}

/** @param measured the direction's inner products with the gradients, their norms, and the direction's squared norm */
export function projectionFrom(
  names: readonly string[],
  measured: { inner: ArrayLike<number>; norms: ArrayLike<number>; squared: number },
): StepProjection {
  const { inner, norms, squared } = measured;
  const length = Math.sqrt(Math.max(0, squared));
  const of = (value: (i: number) => number) => Object.fromEntries(names.map((name, i) => [name, value(i)]));
  return {
    shares: of((i) => (norms[i] > 0 ? inner[i] / norms[i] / norms[i] : 0)),
    cosines: of((i) =>
      norms[i] > 0 && length > 0 ? Math.min(1, Math.max(-1, inner[i] / norms[i] / length)) : 0,
    ),
  };
}
