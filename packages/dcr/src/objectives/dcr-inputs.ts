import * as tf from "@tensorflow/tfjs-core";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions, describe } from "../shared/check-options.js";
import { checkFloatTensor } from "./check-float-tensor.js";

/** A positive of the DCR loss: the augmented view's prediction `A+`, or the target `G`. */
export type DCRPositive = "augmented" | "target";

/** The tensors that DCR contrasts, each flattened from the batch axes on; usually latents `[h, w, channels]`. All are float32. */
export interface DCRPredictions {
  /** `P[i, k] = unet(x_t,i, t_i, e_k)`, `[n, N, ...]` with N of at least 2; usually all images, `n = N`. */
  predictions: tf.Tensor;
  /** `A+_i = unet(x_t,i, t_i, e(aug(x_i)))`, `[n, ...]`; not needed where it is not a positive. */
  augmented?: tf.Tensor;
  /** `G_i`, the scheduler's target, `[n, ...]`; not needed where it is not a positive. */
  target?: tf.Tensor;
  /** The column of each row's anchor, `n` integers, where the rows are a part of the batch. Default `0..N-1`, for `n = N`. */
  anchors?: ArrayLike<number>;
}

export interface DCRTermsOptions {
  /** Greater than 0. Default 0.1. */
  temperature?: number;
  /** The positives of each anchor. Default both. */
  positives?: readonly DCRPositive[];
}

/** A matrix of truth values. */
export function mask(rows: number, columns: number, holds: (row: number, column: number) => boolean) {
  const values = Uint8Array.from({ length: rows * columns }, (_, at) =>
    Number(holds(Math.floor(at / columns), at % columns)),
  );
  return tf.tensor2d(values, [rows, columns], "bool");
}

/** Checks inputs and options of the DCR loss. */
export function checkDCR(caller: string, inputs: DCRPredictions, options?: DCRTermsOptions) {
  const names = { temperature: true, positives: true } as const;
  const { temperature = 0.1, positives = ["augmented", "target"] } = checkOptions(caller, options, names);
  // A misspelt `anchors` would be the default ones.
  const { predictions } = checkOptions(`${caller}: inputs`, inputs, {
    predictions: true,
    augmented: true,
    target: true,
    anchors: true,
  });
  checkFloatTensor(`${caller}: predictions`, predictions);
  const [n, all, ...item] = predictions.shape;
  const { anchors = Int32Array.from({ length: n }, (_, i) => i) } = inputs;
  if (predictions.rank < 3 || (inputs.anchors === undefined && n !== all)) {
    throw new Error(`${caller}: predictions must be [N, N, ...], got [${predictions.shape}]`);
  }
  if (all < 2)
    throw new Error(`${caller}: a batch of one has no negatives; N must be at least 2, got ${all}`);
  const inside = Array.from(anchors).every((k) => Number.isInteger(k) && k >= 0 && k < all);
  if (anchors.length !== n || !inside) {
    throw new Error(
      `${caller}: anchors must be ${n} columns in 0..${all - 1}, one for each row, got [${Array.from(anchors)}]`,
    );
  }
  checkPositives(`${caller}: positives`, positives, ["augmented", "target"]);
  for (const positive of positives) {
    const given = inputs[positive];
    if (given === undefined || String(given.shape) !== String([n, ...item])) {
      throw new Error(
        `${caller}: ${positive} must be [${[n, ...item]}] beside predictions [${predictions.shape}], ` +
          `got ${given ? `[${given.shape}]` : "nothing"}`,
      );
    }
    checkFloatTensor(`${caller}: ${positive}`, given);
  }
  checkFloat(`${caller}: temperature`, temperature, { above: 0 });
  return { n, all, temperature, positives, anchors };
}

/** Refuses a list that is empty, repeats itself or names something else than `allowed`. */
export function checkPositives(name: string, given: readonly string[], allowed: readonly string[]): void {
  const known =
    Array.isArray(given) &&
    given.length > 0 &&
    given.every((positive, i) => allowed.includes(positive) && given.indexOf(positive) === i);
  if (!known) {
    const got = Array.isArray(given) ? `[${given}]` : describe(given);
    throw new Error(`${name} must be a list of one or more of ${allowed.join(", ")}, each once, got ${got}`);
  }
}
