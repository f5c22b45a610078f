import * as tf from "@tensorflow/tfjs-core";
import { toFloat } from "../check-embeddings.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions, describe } from "../shared/check-options.js";
import { unrecorded } from "../shared/gradients-tape.js";
import { l2Normalize } from "../shared/l2-normalize.js";
import { maskBy } from "./masks.js";
import { contrastScores } from "./multi-positive.js";

/** The tensors that DCR contrasts; each is flattened from its item axes on. */
export interface DCRInputs {
  /** `[n, ...]` */
  anchor: tf.Tensor;
  /** One or more, each `[n, ...]`. */
  positives: tf.Tensor[];
  /** `[n, m, ...]`, m >= 1. */
  negatives: tf.Tensor;
}

export interface DCROptions<R extends Reduction = Reduction> {
  /** Greater than 0. Default 0.1. */
  temperature?: number;
  /** Over the anchors. Default `"mean"`. */
  reduction?: R;
}

/**
 * The DCR loss in its general form (Han et al. 2026, eq. 6): with `s` the cosine similarity of flattened tensors and C the positives and
 * negatives of an anchor,
 *
 *     L_i = -1/|P| sum_{p in P} [ s(a_i, p)/t - log sum_{c in C} exp(s(a_i, c)/t) ].
 *
 * Anchor, positives and negatives may be tensors of any shape: features, predicted noises, token maps. Gradients flow to all.
 *
 * @returns `[n]`, or its reduction; the caller disposes it
 * @throws on shapes that do not agree, on a temperature that is not positive and on unknown options
 *
 * @example
 * const loss = dcr({ anchor, positives: [augmented, noise], negatives }, { temperature: 0.1 });
 */
export function dcr<R extends Reduction = "mean">(
  inputs: DCRInputs,
  options: DCROptions<R> = {},
): Reduced<R> {
  const { temperature = 0.1, reduction = "mean" as R } = checkOptions<DCROptions<R>>("dcr", options, {
    temperature: true,
    reduction: true,
  });
  checkFloat("dcr: temperature", temperature, { above: 0 });
  const { anchor, positives, negatives } = checkOptions("dcr", inputs, {
    anchor: true,
    positives: true,
    negatives: true,
  });
  if (!Array.isArray(positives) || positives.length === 0) {
    throw new TypeError(`dcr: positives must be an array of one tensor or more, got ${describe(positives)}`);
  }
  if (!(anchor instanceof tf.Tensor) || anchor.rank < 2) {
    throw new Error(
      `dcr: anchor must be [n, ...], got ${anchor instanceof tf.Tensor ? `[${anchor.shape}]` : describe(anchor)}`,
    );
  }
  const [n, ...item] = anchor.shape;
  if (anchor.size === 0) {
    throw new Error(`dcr: anchor must have a row, and a value in each, got [${anchor.shape}]`);
  }
  for (const [i, positive] of positives.entries()) {
    if (String(positive?.shape) !== String(anchor.shape)) {
      throw new Error(
        `dcr: positives[${i}] must be [${anchor.shape}] as anchor is, got [${positive?.shape}]`,
      );
    }
  }
  const m = negatives?.shape?.[1] ?? 0;
  if (m < 1 || String(negatives.shape) !== String([n, m, ...item])) {
    throw new Error(`dcr: negatives must be [${n}, m >= 1, ${item}], got [${negatives?.shape}]`);
  }
  return tf.tidy(() => {
    const flat = (name: string, x: tf.Tensor, shape: number[]) =>
      l2Normalize(tf.reshape(toFloat(`dcr: ${name}`, x), [...shape, -1]));
    const rows = tf.expandDims(flat("anchor", anchor, [n]), 1);
    const columns = [
      ...positives.map((positive, i) => tf.expandDims(flat(`positives[${i}]`, positive, [n]), 1)),
      flat("negatives", negatives, [n, m]),
    ];
    const scores = scoresOf(tf.concat(columns, 1), { rows, temperature });
    const positive = maskBy(positives.length + m, (_, j) => j < positives.length);
    return contrastScores("dcr", scores, { positive, reduction });
  }) as Reduced<R>;
}

/**
 * The cosine similarity of normalized columns and rows less 1, over the temperature, `[n, m]`: minus half their squared distance, which does
 * not cancel where they are nearly parallel. A tensor of zeros has similarity 0 to all others, as in PyTorch's `cosine_similarity`.
 */
function scoresOf(
  columns: tf.Tensor,
  { rows, temperature }: { rows: tf.Tensor; temperature: number },
): tf.Tensor2D {
  const distances = tf.sum(tf.square(tf.sub(columns, rows)), 2);
  // All others have length 1.
  const isZero = (x: tf.Tensor) => tf.less(tf.sum(tf.square(x), 2), 0.5);
  const hasZero = unrecorded(() => tf.tidy(() => tf.logicalOr(isZero(columns), isZero(rows))));
  return tf.where(
    hasZero,
    tf.fill(distances.shape as [number, number], -1 / temperature),
    tf.mul(distances, -0.5 / temperature),
  );
}
