import { type Reduced, type Reduction, reduce } from "@dcr-js/contrastive";
import { l2Normalize } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions, describe } from "../shared/check-options.js";
import { visitOps } from "../shared/gradients-tape.js";

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

export interface DCRLossOptions<R extends Reduction = Reduction> extends DCRTermsOptions {
  /** Over the anchors. Default `"mean"`. */
  reduction?: R;
}

/** One value for each anchor, `[n]`, for each positive in use; the caller disposes them. */
export interface DCRLosses {
  /** Towards the augmented view's prediction. */
  augmented?: tf.Tensor1D;
  /** Towards the target. */
  target?: tf.Tensor1D;
}

/** An anchor is not its own candidate: its score is this, whose exponential is 0. */
export const excluded = -1e30;

/**
 * The DCR loss for each anchor, apart by positive (Han et al. 2026, eq. 6): with `s` the cosine similarity of
 * flattened predictions, anchor `a_i = P[i, i]` and candidates `C_i = positives + {P[i, k] : k != i}`,
 *
 *     L_i(p) = -s(a_i, p)/tau + log sum_{c in C_i} exp(s(a_i, c)/tau),   p in {A+_i, G_i}.
 *
 * Gradients flow through anchor, augmented positive and negatives. Time and memory `O(n N D)` for predictions of `D`
 * values.
 *
 * Small losses keep float32's digits: `L_i(p) = softplus(log sum_{c != p} exp((s_c - s_p)/tau))`, and `1 - s` is half the squared
 * distance of the normalised predictions, which does not cancel where predictions are nearly parallel. A prediction of zeros has
 * similarity 0 to all others.
 *
 * @throws on shapes or types that do not agree, a positive that is not given, a batch of one (which has no negatives), a
 *   temperature that is not positive, and unknown options.
 */
export function dcrLossTerms(inputs: DCRPredictions, options?: DCRTermsOptions): DCRLosses {
  const { n, all, temperature, positives, anchors } = checkDCR("dcrLossTerms", inputs, options);
  return tf.tidy(() => {
    const pairs = l2Normalize(tf.reshape(inputs.predictions, [n, all, -1]));
    const anchorColumn = tf.cast(
      mask(n, all, (i, k) => k === anchors[i]),
      "float32",
    );
    const own = tf.sum(tf.mul(pairs, tf.expandDims(anchorColumn, 2)), 1, true);
    const others = positives.map((positive) => l2Normalize(tf.reshape(inputs[positive]!, [n, 1, -1])));
    const columns = tf.concat([pairs, ...others], 1);
    const ofDirections = tf.mul(
      tf.sum(tf.square(tf.sub(columns, own)), 2),
      -0.5 / temperature,
    ) as tf.Tensor2D;
    const scores = tf.where(
      hasZero(columns, own),
      tf.fill(ofDirections.shape, -1 / temperature),
      ofDirections,
    ) as tf.Tensor2D;
    return Object.fromEntries(
      positives.map((positive, i) => [positive, softmaxLoss(scores, anchors, all + i)]),
    ) as never;
  }) as unknown as DCRLosses;
}

/**
 * The DCR loss (Han et al. 2026, eq. 6), the mean of {@link dcrLossTerms} over the positives, differentiable with
 * `tf.grads`.
 *
 * @returns a scalar, or with `reduction: "none"` one value for each anchor, `[n]`.
 * @throws as {@link dcrLossTerms}.
 *
 * @example
 * const gradients = tf.grads((p, a) => dcrLoss({ predictions: p, augmented: a, target }))([predictions, augmented]);
 */
export function dcrLoss<R extends Reduction = "mean">(
  inputs: DCRPredictions,
  options?: DCRLossOptions<R>,
): Reduced<R> {
  const names = { temperature: true, positives: true, reduction: true } as const;
  const { reduction = "mean" as R, ...rest } = checkOptions("dcrLoss", options, names);
  return tf.tidy(() => {
    const terms = Object.values(dcrLossTerms(inputs, rest)) as tf.Tensor1D[];
    return reduce(tf.div(tf.addN(terms), terms.length) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

/**
 * `-log softmax` of column `at` among the candidates of each row, `[n]`, with float32's digits even where it is tiny.
 *
 * @param anchors of each row, the column that is not a candidate
 */
export function softmaxLoss(scores: tf.Tensor2D, anchors: ArrayLike<number>, at: number): tf.Tensor1D {
  const [n, columns] = scores.shape;
  const ahead = tf.sub(scores, tf.slice(scores, [0, at], [n, 1]));
  const isRival = mask(n, columns, (i, k) => k !== anchors[i] && k !== at);
  const rivals = tf.where(isRival, ahead, tf.fill([n, columns], excluded));
  return tf.softplus(tf.logSumExp(rivals, 1)) as tf.Tensor1D;
}

/** A matrix of truth values. */
export function mask(rows: number, columns: number, holds: (row: number, column: number) => boolean) {
  const values = Uint8Array.from({ length: rows * columns }, (_, at) =>
    Number(holds(Math.floor(at / columns), at % columns)),
  );
  return tf.tensor2d(values, [rows, columns], "bool");
}

/**
 * Whether one of two normalised predictions is zero, which has no direction: their similarity is 0 then, as in PyTorch's
 * `cosine_similarity`, and has no gradient. A constant in the gradient, `[n, columns]`.
 */
function hasZero(columns: tf.Tensor, own: tf.Tensor): tf.Tensor {
  // The others have length 1.
  const isZero = (x: tf.Tensor) => tf.less(tf.sum(tf.square(x), 2), 0.5);
  return visitOps(
    () => tf.tidy(() => tf.logicalOr(isZero(columns), isZero(own))),
    () => {},
  );
}

/** Checks the inputs and options that every form of the loss takes. */
export function checkDCR(where: string, inputs: DCRPredictions, options?: DCRTermsOptions) {
  const names = { temperature: true, positives: true } as const;
  const { temperature = 0.1, positives = ["augmented", "target"] } = checkOptions(where, options, names);
  const { predictions } = inputs;
  checkFloats(where, "predictions", predictions);
  const [n, all, ...item] = predictions.shape;
  const { anchors = Int32Array.from({ length: n }, (_, i) => i) } = inputs;
  if (predictions.rank < 3 || (inputs.anchors === undefined && n !== all)) {
    throw new Error(`${where}: predictions must be [N, N, ...], got [${predictions.shape}]`);
  }
  if (all < 2) throw new Error(`${where}: a batch of one has no negatives; N must be at least 2, got ${all}`);
  const inside = Array.from(anchors).every((k) => Number.isInteger(k) && k >= 0 && k < all);
  if (anchors.length !== n || !inside) {
    throw new Error(
      `${where}: anchors must be ${n} columns in 0..${all - 1}, one for each row, got [${Array.from(anchors)}]`,
    );
  }
  checkPositives(`${where}: positives`, positives, ["augmented", "target"]);
  for (const positive of positives) {
    const given = inputs[positive];
    if (given === undefined || String(given.shape) !== String([n, ...item])) {
      throw new Error(
        `${where}: ${positive} must be [${[n, ...item]}] beside predictions [${predictions.shape}], ` +
          `got ${given ? `[${given.shape}]` : "nothing"}`,
      );
    }
    checkFloats(where, positive, given);
  }
  checkFloat(`${where}: temperature`, temperature, { above: 0 });
  return { n, all, temperature, positives, anchors };
}

// Squares of int32 wrap around.
function checkFloats(where: string, name: string, value: tf.Tensor): void {
  if (!(value instanceof tf.Tensor)) {
    throw new TypeError(`${where}: ${name} must be a tensor, got ${describe(value)}`);
  }
  if (value.dtype !== "float32") {
    throw new TypeError(`${where}: ${name} must be float32, got ${value.dtype}`);
  }
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
