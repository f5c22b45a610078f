import * as tf from "@tensorflow/tfjs-core";
import { keepWhere } from "../math/masked-log-sum-exp.js";

/** Whether a column is the row's own, where row 0 is the row `first` of `n`: `[count, n]`, bool. */
export function ownColumns(first: number, count: number, n: number): tf.Tensor2D {
  return tf.cast(tf.oneHot(tf.range(first, first + count, 1, "int32"), n), "bool") as tf.Tensor2D;
}

/**
 * Scores of the negatives minus the score of the positive, where the positive of row i of all is column i. Losses are made of these
 * differences, not of a log-sum-exp minus a score, so that small losses keep their digits.
 *
 * @param scores `[rows, n]`. @param first the number of the first row among all
 * @returns `[rows, n]`; the positive takes no part
 */
export function differencesToOthers(scores: tf.Tensor2D, first = 0): tf.Tensor2D {
  return tf.tidy(() => {
    const own = ownColumns(first, ...scores.shape);
    const positive = tf.sum(tf.where(own, scores, tf.zerosLike(scores)), 1, true);
    return keepWhere(tf.logicalNot(own), tf.sub(scores, positive)) as tf.Tensor2D;
  });
}
