import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkOptions } from "../shared/check-options.js";

/** What an elementwise aggregator may know beside the gradients. */
export interface ElementwiseContext {
  /** Which step this is, from 0; seeds random draws. Default 0. */
  step?: number;
}

/**
 * A rule that combines gradients element by element, which no weights of whole gradients can express.
 */
export interface ElementwiseAggregator {
  readonly name: string;
  /**
   * @param gradients of each loss, the same tensors' in the same order; the caller keeps them
   * @returns the combined gradient, tensor by tensor; the caller disposes it
   */
  combine(gradients: readonly (readonly tf.Tensor[])[], context?: ElementwiseContext): tf.Tensor[];
}

/** The tensors of all losses at one place, stacked: `[m, ...]`. */
function eachTensor(
  caller: string,
  gradients: readonly (readonly tf.Tensor[])[],
  f: (stacked: tf.Tensor, at: number) => tf.Tensor,
): tf.Tensor[] {
  const lengths = gradients.map((list) => list.length);
  if (gradients.length === 0 || lengths.some((length) => length !== lengths[0])) {
    throw new Error(
      `${caller}: expected one list of gradients for each loss, all of one length, got ${lengths}`,
    );
  }
  return gradients[0].map((_, at) => tf.tidy(() => f(tf.stack(gradients.map((list) => list[at])), at)));
}

/**
 * GradDrop (Chen et al. 2020, algorithm 1): at each element, gradients of one sign are kept and those of the other dropped, the sign being
 * drawn with the probability `(1 + sum g / sum |g|) / 2` that it is positive.
 *
 * @param options `seed`, an integer of at least 0, default 0; `leak` in [0, 1] for each loss, the share that is never dropped, default 0
 */
export function gradDrop(options: { seed?: number; leak?: readonly number[] } = {}): ElementwiseAggregator {
  const { seed = 0, leak } = checkOptions("gradDrop", options, { seed: true, leak: true });
  checkNumber("gradDrop: seed", seed, { min: 0, integer: true });
  for (const [i, value] of (leak ?? []).entries())
    checkNumber(`gradDrop: leak[${i}]`, value, { min: 0, max: 1 });
  return {
    name: "gradDrop",
    combine: (gradients, { step = 0 } = {}) => {
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

/** A seed that is a function of three integers. */
function mixSeed(seed: number, step: number, at: number): number {
  return (
    (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(step + 1, 0x85ebca6b) ^ Math.imul(at + 1, 0xc2b2ae35)) >>> 0
  );
}

/**
 * Coordinate-wise trimmed mean (Yin et al. 2018, definition 2): at each element the mean without the largest and the smallest values.
 *
 * @param options `trim`: how many values are left out at each end, at least 0, default 1; it needs `2 trim + 1` losses
 */
export function trimmedMean(options: { trim?: number } = {}): ElementwiseAggregator {
  const { trim = 1 } = checkOptions("trimmedMean", options, { trim: true });
  checkNumber("trimmedMean: trim", trim, { min: 0, integer: true });
  return {
    name: "trimmedMean",
    combine: (gradients) => {
      const m = gradients.length;
      checkNumber("trimmedMean: the number of losses", m, { min: 2 * trim + 1, integer: true });
      return eachTensor("trimmedMean", gradients, (g) => {
        const columns = tf.transpose(tf.reshape(g, [m, -1]));
        const { values } = tf.topk(columns, m);
        const kept = tf.slice(values, [0, trim], [-1, m - 2 * trim]);
        return tf.reshape(tf.mean(kept, 1), g.shape.slice(1));
      });
    },
  };
}
