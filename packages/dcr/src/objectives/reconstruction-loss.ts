import { type Reduced, type Reduction, reduce } from "@dcr-js/contrastive";
import * as tf from "@tensorflow/tfjs-core";
import { checkOptions } from "../shared/check-options.js";
import { checkFloatTensor } from "./check-float-tensor.js";

export interface ReconstructionLossOptions<R extends Reduction = Reduction> {
  /** The reduction over the samples. Default `"mean"`. */
  reduction?: R;
}

/**
 * The reconstruction loss of DIVA and GenHancer (Han et al. 2026, eq. 2), `L_i = mean || P[i, i] - G_i ||^2` over the
 * values of each sample.
 *
 * @param prediction `[N, ...]`, N >= 1. @param target `[N, ...]`, of the same shape.
 * @returns a scalar, or with `reduction: "none"` `[N]`; the caller disposes it
 * @throws when the shapes differ, and on unknown options
 */
export function reconstructionLoss<R extends Reduction = "mean">(
  prediction: tf.Tensor,
  target: tf.Tensor,
  options?: ReconstructionLossOptions<R>,
): Reduced<R> {
  const { reduction = "mean" as R } = checkOptions("reconstructionLoss", options, { reduction: true });
  checkFloatTensor("reconstructionLoss: prediction", prediction);
  checkFloatTensor("reconstructionLoss: target", target);
  if (prediction.rank < 2 || String(prediction.shape) !== String(target.shape)) {
    throw new Error(
      `reconstructionLoss: expected prediction and target of one shape [N, ...], got [${prediction.shape}] and [${target.shape}]`,
    );
  }
  return tf.tidy(() => {
    const n = prediction.shape[0];
    const squares = tf.reshape(tf.squaredDifference(prediction, target), [n, -1]);
    return reduce(tf.mean(squares, 1) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}
