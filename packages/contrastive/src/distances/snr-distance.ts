import * as tf from "@tensorflow/tfjs-core";
import { inBlocks, rowsThatFit } from "../blocks/in-blocks.js";
import { largestSize } from "../math/largest-size.js";
import { saturate } from "../math/saturate.js";
import { stopGradient } from "../math/stop-gradient.js";
import { checkNumber } from "../shared/check-options.js";
import { checkWidths, markKind } from "./distance.js";

/** The variance of the rounding of numbers near 1. */
const leastSignal = 2 ** -48;

/**
 * Signal-to-noise distance `var(a_i - b_j) / var(a_i)` (Yuan et al. 2019, eq. 4): the variance is over the dimensions. It is not
 * symmetric: the rows of `a` are the signals. As in the paper, embeddings are not normalised.
 *
 * @param a `[n, dim]`, dim at least 2. @param b `[m, dim]`.
 * @returns `[n, m]`; the caller disposes it. A constant row of `a`, such as a row of zeros, has no variance; it counts as having that of
 *   its rounding to float32, so that all distances from it are large.
 * @throws when the tensors are no matrices of one width
 */
export function snrDistance(a: tf.Tensor, b: tf.Tensor): tf.Tensor2D {
  return tf.tidy(() => {
    const [x, y] = checkWidths("snrDistance", a, b);
    checkNumber("snrDistance: dim", x.shape[1], { min: 2 });
    // The quotient has no unit, and the squares of 1e20 and 1e-23 are no float32.
    const largest = stopGradient(x, (z) => largestSize(z, -1));
    const variance = (z: tf.Tensor) => tf.mean(tf.square(tf.sub(z, tf.mean(z, -1, true))), -1);
    const inputs = { rows: [x, largest], whole: [y], blockSize: rowsThatFit(x, y) };
    return inBlocks(inputs, ([part, size], [all]) => {
      const differences = tf.sub(tf.expandDims(part, 1), tf.expandDims(all, 0));
      const noise = variance(tf.div(differences, tf.expandDims(size, 1)));
      const signal = tf.maximum(variance(tf.div(part, size)), leastSignal);
      return saturate(tf.div(noise, tf.expandDims(signal, 1)));
    }) as tf.Tensor2D;
  });
}

markKind(snrDistance, "distance");
