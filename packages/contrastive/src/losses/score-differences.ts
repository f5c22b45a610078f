import * as tf from "@tensorflow/tfjs-core";
import { keepWhere } from "../math/masked-log-sum-exp.js";

/**
 * Scores of the negatives minus the score of the positive, where row i's positive is column i. Losses are made of these differences,
 * not of a log-sum-exp minus a score, so that small losses keep their digits.
 *
 * @param scores `[n, n]`
 * @returns `[n, n]`; the diagonal takes no part
 */
export function differencesToOthers(scores: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const eye = tf.eye(scores.shape[0]);
    const own = tf.sum(tf.mul(scores, eye), 1, true);
    return keepWhere(tf.equal(eye, 0), tf.sub(scores, own)) as tf.Tensor2D;
  });
}
