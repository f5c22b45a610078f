import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddingsList } from "./check-embeddings.js";

/** The processes of a data-parallel run; `Communicator` of `@dcr-js/tensor` is one. */
export interface Ranks {
  readonly rank: number;
  readonly size: number;
  allReduce(tensors: tf.Tensor[]): Promise<tf.Tensor[]>;
  allGather(tensor: tf.Tensor): Promise<tf.Tensor>;
}

/**
 * A loss over the rows of all ranks, and its exact gradient at this rank's own rows. Every rank computes the loss of all gathered rows,
 * so that the result equals that of one process with the whole batch.
 *
 * @param features this rank's rows, one tensor `[n, dim]` for each argument of the loss; every rank has as many rows
 * @param loss of all rows, a scalar
 * @param ranks joins the processes
 * @returns the loss, equal on every rank, and a gradient `[n, dim]` for each tensor; the caller disposes them
 *
 * @example
 * const { value, gradients } = await lossAcrossRanks([images, texts], (x, y) => clipLoss(x, y, 20), communicator);
 */
export async function lossAcrossRanks(
  features: tf.Tensor[],
  loss: (...all: tf.Tensor2D[]) => tf.Scalar,
  ranks: Ranks,
): Promise<{ value: tf.Scalar; gradients: tf.Tensor2D[] }> {
  const rows = tf.tidy(() => checkEmbeddingsList("lossAcrossRanks: features", features));
  const own = rows.map((x) => x.shape[0]);
  let all: tf.Tensor[] = [];
  try {
    all = await Promise.all(rows.map((x) => ranks.allGather(x)));
    for (const [i, x] of all.entries()) {
      if (x.shape[0] !== own[i] * ranks.size) {
        throw new Error(
          `lossAcrossRanks: features[${i}] must have as many rows on each of ${ranks.size} ranks, got ${own[i]} here and ${x.shape[0]} in all`,
        );
      }
    }
    return tf.tidy(() => {
      const { value, grads } = tf.valueAndGrads((...x: tf.Tensor[]) => loss(...(x as tf.Tensor2D[])))(all);
      const gradients = grads.map((g, i) => tf.slice(g, ranks.rank * own[i], own[i]));
      return { value, gradients } as never;
    }) as unknown as { value: tf.Scalar; gradients: tf.Tensor2D[] };
  } finally {
    tf.dispose([...all, ...rows.filter((x, i) => x !== features[i])]);
  }
}
