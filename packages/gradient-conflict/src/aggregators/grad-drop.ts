import * as tf from "@tensorflow/tfjs-core";
import { checkFloats } from "../shared/check-float.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { checkContext } from "./aggregator.js";
import { type ElementwiseAggregator, eachTensor } from "./elementwise.js";

/**
 * GradDrop (Chen et al. 2020, algorithm 1): at each element, gradients of one sign are kept and those of the other dropped, the sign being
 * drawn with the probability `(1 + sum g / sum |g|) / 2` that it is positive.
 */
export function gradDrop(
  options: {
    /** An integer of at least 0. Default 0. */
    seed?: number;
    /** For each loss the share of its gradient that is never dropped, in [0, 1]. Default 0 each. */
    leak?: readonly number[];
  } = {},
): ElementwiseAggregator {
  const { seed = 0, leak } = checkOptions("gradDrop", options, { seed: true, leak: true });
  checkNumber("gradDrop: seed", seed, { min: 0, integer: true });
  if (leak !== undefined) checkFloats("gradDrop: leak", leak, { min: 0, max: 1 });
  return {
    name: "gradDrop",
    combine: (gradients, context = {}) => {
      checkContext("gradDrop", context);
      const { step = 0 } = context;
      const m = gradients.length;
      if (leak && leak.length !== m)
        throw new Error(`gradDrop: leak must have ${m} entries, got ${leak.length}`);
      return eachTensor("gradDrop", gradients, (g, at) => {
        const total = tf.sum(tf.abs(g), 0);
        const isZero = tf.equal(total, 0);
        const share = tf.div(tf.sum(g, 0), tf.where(isZero, tf.onesLike(total), total));
        const positive = tf.mul(tf.add(share, 1), 0.5);
        const drawn = tf.randomUniform(positive.shape, 0, 1, "float32", mixSeed(seed, step, at));
        const keepsPositive = tf.logicalAnd(tf.greater(positive, drawn), tf.greater(g, 0));
        const keepsNegative = tf.logicalAnd(tf.less(positive, drawn), tf.less(g, 0));
        const kept = tf.cast(tf.logicalOr(keepsPositive, keepsNegative), "float32");
        const leaks = tf.reshape(tf.tensor1d(Float32Array.from(leak ?? new Array(m).fill(0))), [
          m,
          ...new Array(g.rank - 1).fill(1),
        ]);
        return tf.sum(tf.mul(tf.add(leaks, tf.mul(tf.sub(1, leaks), kept)), g), 0);
      });
    },
  };
}

/** A seed that is a function of three integers, and not 0, which tfjs takes for none. */
function mixSeed(seed: number, step: number, at: number): number {
  const mixed =
    Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(step + 1, 0x85ebca6b) ^ Math.imul(at + 1, 0xc2b2ae35);
  return (mixed >>> 0) + 1;
}
