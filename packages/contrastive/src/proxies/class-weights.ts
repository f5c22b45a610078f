import * as tf from "@tensorflow/tfjs-core";
import { checkClasses, checkEmbeddings, type Labels, toFloat } from "../check-embeddings.js";
import type { Reduction } from "../reducers/reduce.js";
import { describe } from "../shared/check-options.js";
import { type Trainable, tensorIn } from "../shared/trainable.js";

/** Options of the losses with a weight vector (a proxy) for each class. */
export interface ClassLossOptions<R extends Reduction = Reduction> {
  /** The proxies, `[classes, dim]`, or `[classes, centers, dim]` where a class has several; trained with the model, as a variable, a
   * `Parameter` of `@dcr-js/tensor` or a weight of a `tf.layers` model. */
  weights: Trainable;
  /** Over the rows. Default `"mean"`. */
  reduction?: R;
}

/** The names of {@link ClassLossOptions}, for `checkOptions`. */
export const classOptionNames = { weights: true, reduction: true } as const;

/** Checks embeddings, proxies and class labels of the loss `caller`. */
export function readClasses(
  caller: string,
  embeddings: tf.Tensor,
  { labels, weights, rank }: { labels: Labels; weights: Trainable; rank: 2 | 3 },
): { x: tf.Tensor2D; proxies: tf.Tensor2D; classes: number; centers: number } {
  const x = checkEmbeddings(`${caller}: embeddings`, embeddings);
  const dim = x.shape[1];
  const expected = rank === 2 ? `[classes, ${dim}]` : `[classes, centers, ${dim}]`;
  const tensor = tensorIn(weights);
  if (!tensor) {
    throw new TypeError(
      `${caller}: weights must be a tensor ${expected}, or a Parameter or tf.layers weight that holds one, got ${describe(weights)}`,
    );
  }
  if (tensor.rank !== rank || tensor.shape[rank - 1] !== dim || tensor.shape[0]! < 2) {
    throw new Error(
      `${caller}: weights must be ${expected} with at least two classes, got [${tensor.shape}]`,
    );
  }
  const classes = tensor.shape[0]!;
  checkClasses(`${caller}: labels`, labels, { n: x.shape[0], classes });
  return {
    x,
    proxies: tf.reshape(toFloat(`${caller}: weights`, tensor), [-1, dim]) as tf.Tensor2D,
    classes,
    centers: rank === 2 ? 1 : tensor.shape[1]!,
  };
}
