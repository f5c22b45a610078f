import { dcr } from "@dcr-js/contrastive";
import * as tf from "@tensorflow/tfjs-core";
import type { DCRPositive, DCRPredictions, DCRTermsOptions } from "../src/objectives/dcr-inputs.js";

/** The DCR loss of a whole batch by `@dcr-js/contrastive`, which the tape differentiates: the reference for the gradients in closed form. */
export function dcrLoss(
  { predictions, ...given }: DCRPredictions,
  options: DCRTermsOptions & { towards?: readonly DCRPositive[] } = {},
): tf.Scalar {
  const { temperature, positives = ["augmented", "target"], towards = positives } = options;
  const [n, , ...item] = predictions.shape;
  const columns = (of: (i: number) => number[]) =>
    tf.tensor1d(Array.from({ length: n }, (_, i) => of(i).map((k) => i * n + k)).flat(), "int32");
  return tf.tidy(() => {
    const flat = tf.reshape(predictions, [n * n, ...item]);
    const others = columns((i) => Array.from({ length: n }, (_, k) => k).filter((k) => k !== i));
    // A positive that the loss does not draw to stays a candidate.
    const candidates = positives.filter((positive) => !towards.includes(positive));
    return dcr(
      {
        anchor: tf.gather(
          flat,
          columns((i) => [i]),
        ),
        positives: towards.map((positive) => given[positive]!),
        negatives: tf.concat(
          [
            tf.reshape(tf.gather(flat, others), [n, n - 1, ...item]),
            ...candidates.map((positive) => tf.expandDims(given[positive]!, 1)),
          ],
          1,
        ),
      },
      { temperature },
    );
  });
}
