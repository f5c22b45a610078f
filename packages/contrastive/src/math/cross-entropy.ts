import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { keepWhere, logOnePlusSumExp } from "./masked-log-sum-exp.js";

/** Whether a column is the class of the row, `[n, classes]`, bool. */
export function classMask(labels: Labels, classes: number): tf.Tensor2D {
  return tf.cast(tf.oneHot(tf.tensor1d(Int32Array.from(labels), "int32"), classes), "bool") as tf.Tensor2D;
}

/**
 * Cross entropy of each row with its class, from the differences to the class's logit, so that small losses keep their digits.
 *
 * @param logits `[n, classes]`. @param labels `n`, classes.
 * @returns `[n]`
 */
export function crossEntropy(logits: tf.Tensor, labels: Labels): tf.Tensor1D {
  return tf.tidy(() => {
    const own = classMask(labels, logits.shape[1]!);
    const logit = tf.sum(tf.where(own, logits, tf.zerosLike(logits)), 1, true);
    return logOnePlusSumExp(keepWhere(tf.logicalNot(own), tf.sub(logits, logit))) as tf.Tensor1D;
  });
}
