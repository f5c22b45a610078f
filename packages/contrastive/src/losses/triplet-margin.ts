import * as tf from "@tensorflow/tfjs-core";
import { checkSameShape } from "../check-embeddings.js";
import { lpNorm } from "../math/lp-norm.js";
import { rowProducts } from "../math/saturated-products.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkChoice, checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

/** How far apart two rows are: Euclidean distance, its square, or one minus the cosine of their angle. */
export type RowDistance = "euclidean" | "squaredEuclidean" | "cosine";

export interface TripletMarginOptions<R extends Reduction = Reduction> {
  /** How much further the negative must be, greater than 0. Default 1 (for `"cosine"`, whose range is [0, 2], take less). */
  margin?: number;
  /** Default `"euclidean"`. */
  distance?: RowDistance;
  /** Take the harder negative of `d(anchor, negative)` and `d(positive, negative)` (Balntas et al. 2016). Default false. */
  swap?: boolean;
  /** Over the triplets. Default `"mean"`. */
  reduction?: R;
}

/** The rows of a triplet loss, each `[n, dim]`, n >= 1: a triplet brings its own negative. */
export interface TripletRows {
  anchor: tf.Tensor;
  positive: tf.Tensor;
  negative: tf.Tensor;
}

/**
 * Triplet margin loss of given rows (Schroff et al. 2015, section 3.1; Balntas et al. 2016; PyTorch's `triplet_margin_loss`):
 * `max(0, d(a, p) - d(a, n) + margin)`. The Euclidean distance is PyTorch's, `||x - y + 1e-6||`, whose gradient exists for
 * equal embeddings too. For rows with labels see {@link tripletLoss}.
 *
 * @param rows anchor, positive and negative, each `[n, dim]`
 * @returns `[n]`, or its reduction; the caller disposes it
 * @throws on shapes that do not agree, on a margin that is not positive and on unknown options
 *
 * @example
 * const loss = tripletMargin({ anchor, positive, negative }, { margin: 0.2, distance: "cosine" });
 */
export function tripletMargin<R extends Reduction = "mean">(
  rows: TripletRows,
  options: TripletMarginOptions<R> = {},
): Reduced<R> {
  const {
    margin = 1,
    distance = "euclidean",
    swap = false,
    reduction = "mean" as R,
  } = checkOptions<TripletMarginOptions<R>>("tripletMargin", options, {
    margin: true,
    distance: true,
    swap: "boolean",
    reduction: true,
  });
  checkFloat("tripletMargin: margin", margin, { above: 0 });
  const difference =
    differences[checkChoice("tripletMargin: distance", distance, Object.keys(differences) as RowDistance[])];
  const { anchor, positive, negative } = checkOptions("tripletMargin", rows, {
    anchor: true,
    positive: true,
    negative: true,
  });
  return tf.tidy(() => {
    const checked = checkSameShape("tripletMargin", { anchor, positive, negative });
    const losses = tf.relu(tf.add(difference(checked, swap), margin));
    return reduce(losses as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

type Rows = Record<keyof TripletRows, tf.Tensor2D>;

/** `d(a, p) - d(a, n)`, or with a swap `d(a, p) - min(d(a, n), d(p, n))`. */
type DistanceDifference = (rows: Rows, swap: boolean) => tf.Tensor;

const differenceOf =
  (between: (x: tf.Tensor2D, y: tf.Tensor2D) => tf.Tensor): DistanceDifference =>
  ({ anchor, positive, negative }, swap) => {
    const fromAnchor = between(anchor, negative);
    const toNegative = swap ? tf.minimum(fromAnchor, between(positive, negative)) : fromAnchor;
    return tf.sub(between(anchor, positive), toNegative);
  };

/** `|x - near|^2 - |x - far|^2` as a product: both squares may be beyond float32, and infinity minus itself is NaN. */
const squaresApart = (x: tf.Tensor2D, near: tf.Tensor2D, far: tf.Tensor2D) =>
  rowProducts(tf.sub(far, near), tf.add(tf.sub(x, near), tf.sub(x, far)));

const differences: Record<RowDistance, DistanceDifference> = {
  euclidean: differenceOf((x, y) => lpNorm(tf.add(tf.sub(x, y), 1e-6), 2)),
  squaredEuclidean: ({ anchor, positive, negative }, swap) => {
    const fromAnchor = squaresApart(anchor, positive, negative);
    return swap ? tf.maximum(fromAnchor, squaresApart(positive, anchor, negative)) : fromAnchor;
  },
  cosine: differenceOf((x, y) => tf.sub(1, tf.sum(tf.mul(l2Normalize(x), l2Normalize(y)), 1))),
};
