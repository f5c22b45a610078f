import * as tf from "@tensorflow/tfjs-core";
import { Random, type RandomState } from "../random.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { checkFloatTensors } from "./check-float-tensors.js";
import { defineComposite, runFused } from "./fused-kernel.js";

export interface DropoutOptions {
  /** Probability to drop an element, in [0, 1). */
  rate: number;
  /** Source of the mask. It takes one word for each element, whatever the backend. */
  random: Random;
}

/** The attributes of kernel "Dropout". */
export type DropoutAttributes = {
  /** Where the mask begins in its stream. */
  start: RandomState;
  /** Words from this one on keep their element. */
  firstKept: number;
  /** The factor of the elements that are kept. */
  scale: number;
};

/**
 * Sets elements to zero with probability `rate`, and multiplies the others by `1 / (1 - rate)` (Srivastava et al. 2014; PyTorch's
 * `dropout` while training).
 *
 * The mask is a function of the stream's state only, the same on every backend. It is made where it is used and made again for the
 * gradient, so that nothing is kept for that.
 *
 * @returns of the shape of `x`; the caller disposes it. First-order gradients only.
 * @throws when `rate` is outside [0, 1), and on an unknown option
 *
 * @example
 * const y = dropout(x, { rate: 0.1, random: new Random(0) });
 */
export function dropout<T extends tf.Tensor>(x: T, options: DropoutOptions): T {
  const { rate, random } = checkOptions("dropout", options, { rate: true, random: true });
  checkNumber("dropout: rate", rate, { min: 0, below: 1 });
  if (!(random instanceof Random))
    throw new TypeError(`dropout: random must be a Random, got ${describe(random)}`);
  checkFloatTensors("dropout", { x });
  if (rate === 0) return tf.clone(x);
  const attributes: DropoutAttributes = {
    start: random.take(x.size),
    // An unsigned 32-bit word.
    firstKept: Math.min(Math.round(rate * 2 ** 32), 2 ** 32 - 1),
    scale: 1 / (1 - rate),
  };
  return runFused<T>("Dropout", { x }, attributes);
}

defineComposite({
  kernelName: "Dropout",
  compute: ({ x }, attributes) => {
    const { start, firstKept, scale } = attributes as DropoutAttributes;
    const random = new Random(0);
    random.state = start;
    const mask = Float32Array.from(random.words(x.size), (word) => (word >= firstKept ? scale : 0));
    return tf.mul(x, tf.tensor(mask, x.shape));
  },
});

tf.registerGradient({
  kernelName: "Dropout",
  gradFunc: (dy, _saved, attributes) => ({
    x: () => runFused<tf.Tensor>("Dropout", { x: dy as tf.Tensor }, { ...attributes }),
  }),
});
