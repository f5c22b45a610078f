import * as tf from "@tensorflow/tfjs-core";
import { checkSameShape } from "../check-embeddings.js";
import { stopGradient } from "../math/stop-gradient.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

export interface NegativeCosineOptions<R extends Reduction = Reduction> {
  /** Whether no gradient flows to the target: SimSiam's stop-gradient, BYOL's momentum network. Default true. */
  stopTarget?: boolean;
  /** Over the rows. Default `"mean"`. */
  reduction?: R;
}

/**
 * Negative cosine similarity of a prediction and its target (SimSiam; Chen and He 2021, eq. 1). BYOL's loss (Grill et al. 2020,
 * eq. 2) is `2 + 2` times it. Both methods add the loss with the views exchanged.
 *
 * @param prediction `[n, dim]`. @param target `[n, dim]`.
 * @returns `[n]`, or its reduction; the caller disposes it
 *
 * @example
 * const loss = tf.mul(tf.add(negativeCosine(p1, z2), negativeCosine(p2, z1)), 0.5); // SimSiam
 */
export function negativeCosine<R extends Reduction = "mean">(
  prediction: tf.Tensor,
  target: tf.Tensor,
  options: NegativeCosineOptions<R> = {},
): Reduced<R> {
  const { stopTarget = true, reduction = "mean" as R } = checkOptions<NegativeCosineOptions<R>>(
    "negativeCosine",
    options,
    { stopTarget: "boolean", reduction: true },
  );
  return tf.tidy(() => {
    const rows = checkSameShape("negativeCosine", { prediction, target });
    const towards = l2Normalize(stopTarget ? stopGradient(rows.target) : rows.target);
    const cosines = tf.sum(tf.mul(l2Normalize(rows.prediction), towards), 1);
    return reduce(tf.neg(cosines) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}
