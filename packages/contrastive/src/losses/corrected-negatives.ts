import * as tf from "@tensorflow/tfjs-core";
import { checkBlockSize, inBlocks } from "../blocks/in-blocks.js";
import { checkBatch, checkSameShape } from "../check-embeddings.js";
import { keepWhere } from "../math/masked-log-sum-exp.js";
import { stopGradient } from "../math/stop-gradient.js";
import { unitRows } from "../math/unit-rows.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";

/**
 * NT-Xent whose sum over the negatives is weighted by hardness (`beta`, Robinson et al. 2021, eq. 4) and corrected for negatives of the
 * anchor's own class (`classPrior`, Chuang et al. 2020, eq. 8).
 */
export function correctedNegatives<R extends Reduction>(
  caller: string,
  views: { viewA: tf.Tensor; viewB: tf.Tensor },
  options: { temperature?: number; classPrior?: number; beta: number; blockSize?: number; reduction?: R },
): Reduced<R> {
  const { temperature = 0.5, classPrior = 0.1, beta, blockSize, reduction = "mean" as R } = options;
  checkFloat(`${caller}: temperature`, temperature, { above: 0 });
  checkFloat(`${caller}: classPrior`, classPrior, { min: 0, below: 1 });
  checkBlockSize(caller, blockSize);
  return tf.tidy(() => {
    const rows = checkSameShape(caller, views);
    const n = rows.viewA.shape[0];
    checkBatch(caller, n);
    const count = 2 * n - 2;
    const [a, b] = [unitRows(rows.viewA), unitRows(rows.viewB)];
    const all = tf.concat([a, b]) as tf.Tensor2D;
    const own = tf.div(tf.tile(tf.sum(tf.mul(a, b), 1), [2]), temperature);
    const losses = inBlocks(
      { rows: [all, own], whole: [all], blockSize },
      ([part, positives], [views], first) =>
        lossesOf(tf.div(tf.matMul(part, views, false, true), temperature), positives, first),
    );
    return reduce(losses as tf.Tensor1D, reduction);

    /** From the scores of the views `first, first + 1, ...` with all views, and those with their positives. */
    function lossesOf(scores: tf.Tensor, positives: tf.Tensor, first: number): tf.Tensor {
      const image = (i: number) => i % n;
      const rowImages = Int32Array.from({ length: scores.shape[0]! }, (_, i) => image(first + i));
      const columnImages = Int32Array.from({ length: 2 * n }, (_, j) => image(j));
      const taken = tf.equal(
        tf.tensor2d(rowImages, [rowImages.length, 1], "int32"),
        tf.tensor1d(columnImages, "int32"),
      );
      const negatives = keepWhere(tf.logicalNot(taken), scores);
      // Everything is divided by the largest exponential, which cancels in the loss.
      const shift = stopGradient(tf.maximum(tf.max(negatives, 1), positives));
      const positive = tf.exp(tf.sub(positives, shift));
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
      // log(positive + total) - (positives - shift), with the digits of small losses.
      const above = tf.sub(positives, shift);
      return tf.sub(tf.log1p(tf.add(total, tf.expm1(above))), above);
    }
  }) as Reduced<R>;
}
