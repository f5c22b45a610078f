import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { compare, type Distance } from "../distances/distance.js";
import { lpDistance } from "../distances/lp-distance.js";
import { type Reference, readTuples } from "../pairs/tuple-inputs.js";
import type { WithoutPositives } from "../pairs/without-positives.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { maskBy } from "./masks.js";
import { contrastScores } from "./multi-positive.js";

export interface NCAOptions<R extends Reduction = Reduction> {
  /** Factor of the distances, greater than 0. Default 1. */
  softmaxScale?: number;
  /** Default `lpDistance({ power: 2 })`: squared Euclidean, of normalised rows. */
  distance?: Distance;
  /** Other rows to compare with. Default: the batch itself. */
  reference?: Reference;
  /** Default `"error"`. */
  withoutPositives?: WithoutPositives;
  /** Over the anchors. Default `"mean"`. */
  reduction?: R;
}

/**
 * Neighbourhood components analysis (Goldberger et al. 2004, in the form `-log p_i`): minus the logarithm of the share of rows of the
 * anchor's label in the softmax of the negative distances.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[n]`, or its reduction; the caller disposes it
 * @throws when an anchor has no other row of its label, unless `withoutPositives` says otherwise
 */
export function nca<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: NCAOptions<R> = {},
): Reduced<R> {
  const {
    softmaxScale = 1,
    distance = lpDistance({ power: 2 }),
    reference,
    withoutPositives,
    reduction = "mean" as R,
  } = checkOptions<NCAOptions<R>>("nca", options, {
    softmaxScale: true,
    distance: "function",
    reference: true,
    withoutPositives: true,
    reduction: true,
  });
  checkFloat("nca: softmaxScale", softmaxScale, { above: 0 });
  return tf.tidy(() => {
    // The rule for anchors without positives is contrastScores' to apply.
    const { anchors, others, otherLabels, sameRows } = readTuples("nca", embeddings, {
      labels,
      reference,
      withoutPositives: "skip",
    });
    const matrix = compare(anchors, others, { caller: "nca", distance });
    const m = matrix.shape[1];
    return contrastScores("nca", tf.mul(matrix, -softmaxScale) as tf.Tensor2D, {
      positive: maskBy(m, (i, j) => labels[i] === otherLabels[j]),
      excluded: sameRows ? maskBy(m, (i, j) => i === j) : undefined,
      formulation: "mil-nce",
      withoutPositives,
      reduction,
      labels,
    });
  }) as Reduced<R>;
}
