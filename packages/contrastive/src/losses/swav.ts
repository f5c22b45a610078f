import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddingsList } from "../check-embeddings.js";
import { logProbabilities } from "../math/probabilities.js";
import { checkFloat } from "../shared/check-float.js";
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
  checkFloat("swav: temperature", temperature, { above: 0 });
  return tf.tidy(() => {
    const large = checkEmbeddingsList("swav: scores", scores);
    const isAlone = Array.isArray(lowResolution) && lowResolution.length === 0;
    const all = [...large, ...(isAlone ? [] : checkEmbeddingsList("swav: lowResolution", lowResolution))];
    checkNumber("swav: crops in all", all.length, { min: 2, integer: true });
    const queues = queue === undefined ? undefined : checkEmbeddingsList("swav: queue", queue);
    if (queues && queues.length !== large.length) {
      throw new Error(
        `swav: queue must have a tensor for each of ${large.length} large crops, got ${queues.length}`,
      );
    }
    const shape = String(all[0].shape);
    const other = all.find((x) => String(x.shape) !== shape);
    if (other) throw new Error(`swav: expected crops of one shape, got [${shape}] and [${other.shape}]`);
    const predictions = all.map((x) => logProbabilities(x, temperature));
    const pairs = large.length * (all.length - 1);
    const losses = large.map((own, i) => {
      const known = queues ? tf.concat([own, queues[i]]) : own;
      const codes = tf.slice(sinkhorn(known, assignment), 0, own.shape[0]);
      const others = predictions.filter((_, v) => v !== i);
      // Divided first: the sum of large terms may be beyond float32 where their mean is not.
      const share = tf.div(codes, -pairs * own.shape[0]);
      return tf.addN(others.map((p) => tf.sum(tf.mul(share, p))));
    });
    return tf.addN(losses) as tf.Scalar;
  });
}
