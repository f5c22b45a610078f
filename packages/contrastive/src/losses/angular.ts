import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { keepWhere, logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { readTuples, reduceTuples, type TupleLossOptions, tupleOptionNames } from "../pairs/tuple-inputs.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

export interface AngularOptions<R extends Reduction = Reduction> extends TupleLossOptions<R> {
  /** The greatest angle at the negative, in degrees, in (0, 90). Default 40. */
  alpha?: number;
}

/**
 * Angular loss (Wang et al. 2017, eq. 8; pytorch-metric-learning's `AngularLoss`), for each positive pair of normalised rows
 *
 *     log(1 + sum_n exp(4 tan^2(alpha) (a + p) . n - 2 (1 + tan^2(alpha)) a . p)),
 *
 * over all rows n of another label; the positives are normalised, the rows n are taken as they are.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[positive pairs]`, or its reduction; the caller disposes it
 */
export function angular<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: AngularOptions<R> = {},
): Reduced<R> {
  const {
    alpha = 40,
    reduction = "mean" as R,
    ...tuples
  } = checkOptions<AngularOptions<R>>("angular", options, { ...tupleOptionNames, alpha: true });
  checkFloat("angular: alpha", alpha, { above: 0, below: 90 });
  return tf.tidy(() => {
    const inputs = readTuples("angular", embeddings, { labels, ...tuples, needsNegatives: true });
    const { anchors, others, otherLabels } = inputs;
    const { positive } = inputs.pairs();
    const rows = (x: tf.Tensor2D, indices: Int32Array) =>
      l2Normalize(tf.gather(x, tf.tensor1d(indices, "int32")));
    const [a, p] = [rows(anchors, positive.anchor), rows(others, positive.other)];
    const squaredTangent = Math.tan((alpha * Math.PI) / 180) ** 2;
    const toNegatives = tf.mul(tf.matMul(tf.add(a, p), others, false, true), 4 * squaredTangent);
    const together = tf.mul(tf.sum(tf.mul(a, p), 1, true), 2 * (1 + squaredTangent));
    const m = others.shape[0];
    const other = Uint8Array.from({ length: positive.anchor.length * m }, (_, at) =>
      Number(labels[positive.anchor[Math.floor(at / m)]] !== otherLabels[at % m]),
    );
    const mask = tf.tensor2d(other, [positive.anchor.length, m], "bool");
    const losses = logOnePlusSumExp(keepWhere(mask, tf.sub(toNegatives, together)));
    return reduceTuples(inputs, losses, { anchor: positive.anchor, reduction });
  }) as Reduced<R>;
}
