import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings } from "../check-embeddings.js";
import { stopGradient } from "../math/stop-gradient.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

export interface SinkhornOptions {
  /** Default 3. */
  iterations?: number;
  /** Entropy regularisation, greater than 0. Default 0.05. */
  epsilon?: number;
}

export interface SwAVOptions extends SinkhornOptions {
  /** Scores of small crops, each `[n, prototypes]`, that predict the codes of the large ones. Default none. */
  lowResolution?: tf.Tensor[];
  /** Temperature of the predictions, greater than 0. Default 0.1. */
  temperature?: number;
  /** Scores of earlier batches, `[m, prototypes]` for each large crop, which take part in the assignment. Default none. */
  queue?: tf.Tensor[];
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
  checkNumber("sinkhorn: epsilon", epsilon, { above: 0 });
  return tf.tidy(() => {
    const x = checkEmbeddings("sinkhorn: scores", scores);
    return stopGradient<tf.Tensor2D>(x, (y) => {
      // The first normalisation makes any common factor vanish, so the largest exponential is made 1.
      let q = tf.exp(tf.div(tf.sub(y, tf.max(y)), epsilon));
      q = tf.div(q, tf.sum(q));
      for (let i = 0; i < iterations; i++) {
        q = tf.div(q, tf.maximum(tf.sum(q, 0, true), 1e-30));
        q = tf.div(q, tf.maximum(tf.sum(q, 1, true), 1e-30));
      }
      return q;
    });
  });
}

/**
 * SwAV (Caron et al. 2020, eq. 1): each crop's scores predict the codes of the large crops, which {@link sinkhorn} assigns.
 *
 * @param scores of the large crops, one tensor `[n, prototypes]` each, at least two crops in all; dot products of normalised features and
 *   prototypes
 * @returns a scalar; the caller disposes it
 */
export function swav(scores: tf.Tensor[], options: SwAVOptions = {}): tf.Scalar {
  const {
    lowResolution = [],
    temperature = 0.1,
    queue,
    ...assignment
  } = checkOptions<SwAVOptions>("swav", options, {
    lowResolution: true,
    temperature: true,
    queue: true,
    iterations: true,
    epsilon: true,
  });
  checkNumber("swav: temperature", temperature, { above: 0 });
  const crops = [...scores, ...lowResolution];
  checkNumber("swav: crops in all", crops.length, { min: 2, integer: true });
  checkNumber("swav: large crops", scores.length, { min: 1, integer: true });
  if (queue && queue.length !== scores.length) {
    throw new Error(
      `swav: queue must have a tensor for each of ${scores.length} large crops, got ${queue.length}`,
    );
  }
  return tf.tidy(() => {
    const all = crops.map((x, i) => checkEmbeddings(`swav: crop ${i}`, x));
    const shape = String(all[0].shape);
    const other = all.find((x) => String(x.shape) !== shape);
    if (other) throw new Error(`swav: expected crops of one shape, got [${shape}] and [${other.shape}]`);
    const predictions = all.map((x) => tf.logSoftmax(tf.div(x, temperature)));
    const losses = scores.map((_, i) => {
      const known = queue ? tf.concat([all[i], checkEmbeddings(`swav: queue[${i}]`, queue[i])]) : all[i];
      const codes = tf.slice(sinkhorn(known, assignment), 0, all[i].shape[0]);
      const others = predictions.filter((_, v) => v !== i);
      return tf.addN(others.map((p) => tf.neg(tf.mean(tf.sum(tf.mul(codes, p), 1)))));
    });
    return tf.div(tf.addN(losses), losses.length * (crops.length - 1)) as tf.Scalar;
  });
}
