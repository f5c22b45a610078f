import * as tf from "@tensorflow/tfjs-core";
import { checkSameShape } from "./checks.js";
import { type Reduced, type Reduction, reduce } from "./reduction.js";
import { normalizeRows } from "./similarity.js";

/** How far apart two embeddings are: Euclidean distance, its square, or one minus the cosine of their angle. */
export type Distance = "euclidean" | "squaredEuclidean" | "cosine";

export interface TripletMarginOptions<R extends Reduction = Reduction> {
  /** How much further the negative must be, greater than 0. Default 1 (for `"cosine"`, whose range is [0, 2], take less). */
  margin?: number;
  /** Default `"euclidean"`. */
  distance?: Distance;
  /** Take the harder negative of `d(anchor, negative)` and `d(positive, negative)` (Balntas et al. 2016). Default false. */
  swap?: boolean;
  /** Over the triplets. Default `"mean"`. */
  reduction?: R;
}

/**
 * Triplet margin loss (Schroff et al. 2015, section 3.1; Balntas et al. 2016): `max(0, d(a, p) - d(a, n) + margin)`. The
 * Euclidean distance is PyTorch's, `||x - y + 1e-6||`, whose gradient exists for equal embeddings too.
 *
 * @param anchor `[n, dim]`, n >= 1: a triplet brings its own negative. @param positive `[n, dim]`.
 * @param negative `[n, dim]`.
 * @returns `[n]`, or its reduction.
 * @throws on shapes that do not agree and on a margin that is not positive.
 */
export function tripletMargin<R extends Reduction = "mean">(
  anchor: tf.Tensor2D,
  positive: tf.Tensor2D,
  negative: tf.Tensor2D,
  options: TripletMarginOptions<R> = {},
): Reduced<R> {
  const { margin = 1, distance = "euclidean", swap = false, reduction = "mean" as R } = options;
  checkSameShape("tripletMargin", { anchor, positive, negative });
  if (!(margin > 0)) throw new Error(`tripletMargin: margin must be positive, got ${margin}`);
  if (!Object.hasOwn(distances, distance)) {
    throw new Error(
      `tripletMargin: distance must be one of ${Object.keys(distances).join(", ")}, got ${JSON.stringify(distance)}`,
    );
  }
  return tf.tidy(() => {
    const apart = distances[distance];
    const fromAnchor = apart(anchor, negative);
    const toNegative = swap ? tf.minimum(fromAnchor, apart(positive, negative)) : fromAnchor;
    const losses = tf.relu(tf.add(tf.sub(apart(anchor, positive), toNegative), margin));
    return reduce(losses as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

const distances: Record<Distance, (x: tf.Tensor2D, y: tf.Tensor2D) => tf.Tensor> = {
  euclidean: (x, y) => tf.sqrt(tf.sum(tf.square(tf.add(tf.sub(x, y), 1e-6)), 1)),
  squaredEuclidean: (x, y) => tf.sum(tf.squaredDifference(x, y), 1),
  cosine: (x, y) => tf.sub(1, tf.sum(tf.mul(normalizeRows(x), normalizeRows(y)), 1)),
};
