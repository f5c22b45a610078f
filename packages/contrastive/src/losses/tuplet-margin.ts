import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { keepWhere, logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import {
  entriesAt,
  readTuples,
  reduceTuples,
  type TupleLossOptions,
  tupleOptionNames,
} from "../pairs/tuple-inputs.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { cosineOfAngleMinus } from "./angular-margin.js";

export interface TupletMarginOptions<R extends Reduction = Reduction> extends TupleLossOptions<R> {
  /** The angle that positives are drawn closer by, in degrees, in [0, 180]. Default 5.73. */
  margin?: number;
  /** Factor of the cosines, greater than 0. Default 64. */
  scale?: number;
}

/**
 * Tuplet margin loss (Yu and Tao 2019, eq. 7), for each positive pair
 * `log(1 + sum_n exp(scale (cos(theta_an) - cos(theta_ap - margin))))`.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @returns `[positive pairs]`, or its reduction; the caller disposes it
 */
export function tupletMargin<R extends Reduction = "mean">(
  embeddings: tf.Tensor,
  labels: Labels,
  options: TupletMarginOptions<R> = {},
): Reduced<R> {
  const caller = "tupletMargin";
  const {
    margin = 5.73,
    scale = 64,
    reduction = "mean" as R,
    ...tuples
  } = checkOptions<TupletMarginOptions<R>>(caller, options, {
    ...tupleOptionNames,
    margin: true,
    scale: true,
  });
  checkFloat(`${caller}: margin`, margin, { min: 0, max: 180 });
  checkFloat(`${caller}: scale`, scale, { above: 0 });
  return tf.tidy(() => {
    const inputs = readTuples(caller, embeddings, { labels, ...tuples, needsNegatives: true });
    const matrix = cosineSimilarity(inputs.anchors, inputs.others);
    const { positive, negative } = inputs.pairs();
    const [count, negatives] = [positive.anchor.length, negative.anchor.length];
    const closer = cosineOfAngleMinus(
      entriesAt(matrix, positive.anchor, positive.other),
      (margin * Math.PI) / 180,
    );
    // Without a negative each pair's loss is log(1). Backends disagree about tensors of no elements.
    if (count * negatives === 0) {
      return reduceTuples(inputs, tf.mul(closer, 0), { anchor: positive.anchor, reduction });
    }
    const apart = tf.expandDims(entriesAt(matrix, negative.anchor, negative.other), 0);
    const sameAnchor = Uint8Array.from({ length: count * negatives }, (_, at) =>
      Number(positive.anchor[Math.floor(at / negatives)] === negative.anchor[at % negatives]),
    );
    const differences = tf.mul(tf.sub(apart, tf.expandDims(closer, 1)), scale);
    const mask = tf.tensor2d(sameAnchor, [count, negatives], "bool");
    const losses = logOnePlusSumExp(keepWhere(mask, differences));
    return reduceTuples(inputs, losses, { anchor: positive.anchor, reduction });
  }) as Reduced<R>;
}
