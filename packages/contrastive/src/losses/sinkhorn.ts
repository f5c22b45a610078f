import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings } from "../check-embeddings.js";
import { saturate } from "../math/saturate.js";
import { stopGradient } from "../math/stop-gradient.js";
import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

export interface SinkhornOptions {
  /** Default 3. */
  iterations?: number;
  /** Entropy regularisation, greater than 0. Default 0.05. */
  epsilon?: number;
}

/**
 * Assigns rows to prototypes so that all prototypes are used alike (Sinkhorn-Knopp; Caron et al. 2020, eq. 3). No gradient flows.
 *
 * @param scores `[n, prototypes]`
 * @returns the codes, `[n, prototypes]`, rows that sum to 1; the caller disposes them
 */
export function sinkhorn(scores: tf.Tensor, options: SinkhornOptions = {}): tf.Tensor2D {
  const { iterations = 3, epsilon = 0.05 } = checkOptions<SinkhornOptions>("sinkhorn", options, {
    iterations: true,
    epsilon: true,
  });
  checkNumber("sinkhorn: iterations", iterations, { min: 1, integer: true });
  checkFloat("sinkhorn: epsilon", epsilon, { above: 0 });
  return tf.tidy(() => {
    const x = checkEmbeddings("sinkhorn: scores", scores);
    return stopGradient<tf.Tensor2D>(x, (y) => {
      // Logarithms: a row far below the others would be 0 as an exponential, and would get no code.
      let logs = saturate(tf.div(y, epsilon));
      for (let i = 0; i < iterations; i++) {
        for (const axis of [0, 1]) logs = saturate(tf.sub(logs, tf.logSumExp(logs, axis, true)));
      }
      return tf.exp(logs);
    });
  });
}
