import { dcr, type Reduced, type Reduction } from "@dcr-js/contrastive";
import * as tf from "@tensorflow/tfjs-core";
import { checkOptions } from "../shared/check-options.js";
import {
  checkDCR,
  checkPositives,
  type DCRPositive,
  type DCRPredictions,
  type DCRTermsOptions,
} from "./dcr-inputs.js";

export interface DCRLossOptions<R extends Reduction = Reduction> extends DCRTermsOptions {
  /** The positives that the loss draws the anchors to; the others stay candidates. Default all of `positives`. */
  towards?: readonly DCRPositive[];
  /** The reduction over the anchors. Default `"mean"`. */
  reduction?: R;
}

/**
 * The DCR loss of a batch's predictions (Han et al. 2026, eq. 6): {@link dcr} of `@dcr-js/contrastive` with anchors `P[i, i]` and negatives
 * `P[i, k]`, k other than i. `tf.grads` differentiates it; {@link dcrLossGradients} gives the same gradients in closed form and less memory.
 *
 * @returns a scalar, or with `reduction: "none"` one value for each anchor, `[n]`; the caller disposes it
 * @throws on shapes or types that do not agree, a positive that is not given, a batch of one (which has no negatives), a
 *   temperature that is not positive, and unknown options
 *
 * @example
 * const gradients = tf.grads((p, a) => dcrLoss({ predictions: p, augmented: a, target }))([predictions, augmented]);
 */
export function dcrLoss<R extends Reduction = "mean">(
  inputs: DCRPredictions,
  options?: DCRLossOptions<R>,
): Reduced<R> {
  const names = { temperature: true, positives: true, towards: true, reduction: true } as const;
  const { towards: given, reduction, ...terms } = checkOptions("dcrLoss", options, names);
  const { n, all, temperature, positives, anchors } = checkDCR("dcrLoss", inputs, terms);
  const towards = given ?? positives;
  checkPositives("dcrLoss: towards", towards, positives);
  const item = inputs.predictions.shape.slice(2);
  return tf.tidy(() => {
    const flat = tf.reshape(inputs.predictions, [n * all, ...item]);
    const places = (hold: (k: number, anchor: number) => boolean) => {
      const columns = Array.from({ length: n * all }, (_, at) => at);
      return tf.tensor1d(
        columns.filter((at) => hold(at % all, anchors[Math.floor(at / all)])),
        "int32",
      );
    };
    const others = tf.gather(
      flat,
      places((k, anchor) => k !== anchor),
    );
    const candidates = positives.filter((positive) => !towards.includes(positive));
    return dcr(
      {
        anchor: tf.gather(
          flat,
          places((k, anchor) => k === anchor),
        ),
        positives: towards.map((positive) => inputs[positive]!),
        negatives: tf.concat(
          [
            tf.reshape(others, [n, all - 1, ...item]),
            ...candidates.map((positive) => tf.expandDims(inputs[positive]!, 1)),
          ],
          1,
        ),
      },
      { temperature, reduction },
    );
  }) as Reduced<R>;
}
