import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import type { Triplets } from "../pairs/pairs.js";
import { type Reference, readTuples } from "../pairs/tuple-inputs.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

export interface AngularMinerOptions {
  /** In degrees, in (0, 90). Default 20. */
  angle?: number;
  /** Other rows to take positives and negatives from. Default: the batch itself. */
  reference?: Reference;
}

/**
 * The triplets whose angle at the negative exceeds a bound (Wang et al. 2017, figure 2): `atan(|a - p| / (2 |n - (a + p) / 2|))` of
 * normalised rows.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @throws on rows that are not numbers
 */
export async function angularMiner(
  embeddings: tf.Tensor,
  labels: Labels,
  options: AngularMinerOptions = {},
): Promise<Triplets> {
  const { angle = 20, reference } = checkOptions<AngularMinerOptions>("angularMiner", options, {
    angle: true,
    reference: true,
  });
  checkFloat("angularMiner: angle", angle, { above: 0, below: 90 });
  let triplets: Triplets | undefined;
  const sides = tf.tidy(() => {
    const inputs = readTuples("angularMiner", embeddings, { labels, reference, withoutPositives: "skip" });
    triplets = inputs.triplets();
    const rows = (x: tf.Tensor2D, indices: Int32Array) =>
      tf.gather(l2Normalize(x), tf.tensor1d(indices, "int32"));
    const a = rows(inputs.anchors, triplets.anchor);
    const p = rows(inputs.others, triplets.positive);
    const n = rows(inputs.others, triplets.negative);
    const between = tf.norm(tf.sub(a, p), 2, 1);
    const toNegative = tf.norm(tf.sub(n, tf.mul(tf.add(a, p), 0.5)), 2, 1);
    return tf.stack([between, tf.mul(toNegative, 2)]);
  });
  const values = await sides.data();
  sides.dispose();
  const limit = (angle * Math.PI) / 180;
  const { anchor, positive, negative } = triplets!;
  const count = anchor.length;
  const broken = values.findIndex((value) => Number.isNaN(value)) % count;
  if (broken >= 0) {
    const rows = `${anchor[broken]}, ${positive[broken]} and ${negative[broken]}`;
    throw new Error(`angularMiner: the angle of rows ${rows} is NaN`);
  }
  // Of equal rows both sides are 0, and so is the angle.
  const keeps = (_: number, i: number) => Math.atan2(values[i], values[count + i]) > limit;
  return { anchor: anchor.filter(keeps), positive: positive.filter(keeps), negative: negative.filter(keeps) };
}
