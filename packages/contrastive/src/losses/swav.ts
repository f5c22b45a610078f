import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings } from "../check-embeddings.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { type SinkhornOptions, sinkhorn } from "./sinkhorn.js";

export interface SwAVOptions extends SinkhornOptions {
  /** Scores of small crops, each `[n, prototypes]`, that predict the codes of the large ones. Default none. */
  lowResolution?: tf.Tensor[];
  /** Temperature of the predictions, greater than 0. Default 0.1. */
  temperature?: number;
  /** Scores of earlier batches, `[m, prototypes]` for each large crop, which take part in the assignment. Default none. */
  queue?: tf.Tensor[];
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
