import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkSameShape } from "../check-embeddings.js";
import { absent } from "../math/masked-log-sum-exp.js";
import { stopGradient } from "../math/stop-gradient.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { l2Normalize } from "../shared/l2-normalize.js";

/**
 * NT-Xent whose sum over the negatives is weighted by hardness (`beta`, Robinson et al. 2021, eq. 4) and corrected for negatives of the
 * anchor's own class (`classPrior`, Chuang et al. 2020, eq. 8).
 */
export function correctedNegatives<R extends Reduction>(
  caller: string,
  views: { viewA: tf.Tensor; viewB: tf.Tensor },
  options: { temperature?: number; classPrior?: number; beta: number; reduction?: R },
): Reduced<R> {
  const { temperature = 0.5, classPrior = 0.1, beta, reduction = "mean" as R } = options;
  checkFloat(`${caller}: temperature`, temperature, { above: 0 });
  checkFloat(`${caller}: classPrior`, classPrior, { min: 0, below: 1 });
  return tf.tidy(() => {
    const rows = checkSameShape(caller, views);
    const n = rows.viewA.shape[0];
    checkBatch(caller, n);
    const count = 2 * n - 2;
    const [a, b] = [l2Normalize(rows.viewA), l2Normalize(rows.viewB)];
    const all = tf.concat([a, b]);
    const scores = tf.div(tf.matMul(all, all, false, true), temperature);
    const own = tf.div(tf.tile(tf.sum(tf.mul(a, b), 1), [2]), temperature);
    const taken = tf.cast(tf.tile(tf.eye(n), [2, 2]), "bool");
    const negatives = tf.where(taken, tf.fill(scores.shape, absent), scores);
    // Everything is divided by the largest exponential, which cancels in the loss.
    const shift = stopGradient(tf.maximum(tf.max(negatives, 1), own));
    const positive = tf.exp(tf.sub(own, shift));
    const each = tf.exp(tf.sub(negatives, tf.expandDims(shift, 1)));
    let sum = tf.sum(each, 1);
    if (beta > 0) {
      // exp(beta s) / mean(exp(beta s)) as a softmax, in which large scores do not overflow.
      const weights = tf.mul(tf.softmax(tf.mul(negatives, beta)), count);
      sum = tf.sum(tf.mul(weights, each), 1);
    }
    const corrected = tf.div(tf.sub(sum, tf.mul(positive, classPrior * count)), 1 - classPrior);
    const least = tf.exp(tf.sub(Math.log(count) - 1 / temperature, shift));
    const total = tf.maximum(corrected, least);
    // log(positive + total) - (own - shift), with the digits of small losses.
    const above = tf.sub(own, shift);
    const losses = tf.sub(tf.log1p(tf.add(total, tf.expm1(above))), above) as tf.Tensor1D;
    return reduce(losses, reduction);
  }) as Reduced<R>;
}
