import * as tf from "@tensorflow/tfjs-core";
import { checkTemperature } from "./checks.js";
import { type Reduced, type Reduction, reduce } from "./reduction.js";
import { cosineSimilarity, type Similarity } from "./similarity.js";

/** What the temperature-scaled losses have in common. */
export interface ContrastiveOptions<R extends Reduction = Reduction> {
  /** Greater than 0. Default 0.1. */
  temperature?: number;
  /** Default {@link cosineSimilarity}. */
  similarity?: Similarity;
  /** Over the anchors. Default `"mean"`. */
  reduction?: R;
}

/**
 * How the positives of an anchor are joined:
 * - `"out"`: the mean of their `-log q` (Khosla et al. 2020, eq. 2, `L_out`);
 * - `"in"`: minus the logarithm of their mean `q` (Khosla et al. 2020, eq. 3, `L_in`);
 * - `"mil-nce"`: minus the logarithm of their summed `q` (Miech et al. 2020, eq. 1; with labels the soft nearest
 *   neighbour loss of Frosst et al. 2019): one near positive is enough.
 *
 * All are equal for one positive; `"in"` and `"mil-nce"` differ by a constant.
 */
export type Formulation = "out" | "in" | "mil-nce";

export interface MultiPositiveOptions<R extends Reduction = Reduction> extends ContrastiveOptions<R> {
  /** Default `"out"`. */
  formulation?: Formulation;
  /** Whether candidate j takes no part for anchor i, row by row, `n * m`; default none is left out. */
  excluded?: ArrayLike<boolean | number>;
}

/** Scores of candidates that take no part: their exponential is 0, and unlike -Infinity no backend's gradient meets NaN. */
const absent = -1e30;

/**
 * Contrastive loss of anchors against candidates with any set of positives `P(i)`. With
 * `q_ij = exp(s_ij / t) / sum_k exp(s_ik / t)` over the candidates that are not excluded for `i`:
 *
 *     out:     -1/|P(i)| sum_{j in P(i)} log q_ij
 *     in:      -log( 1/|P(i)| sum_{j in P(i)} q_ij )
 *     mil-nce: -log sum_{j in P(i)} q_ij
 *
 * The other losses with a temperature are this with their own mask. Time `O(n m dim)`, memory `O(n m)`.
 *
 * @param anchors `[n, dim]`, n >= 1. @param candidates `[m, dim]`.
 * @param positive whether candidate j is a positive of anchor i, row by row, `n * m`.
 * @returns `[n]`, or its reduction.
 * @throws when an anchor has no positive or fewer than two candidates, when the loss is constant, on shapes that do
 *   not agree, and on a temperature that is not positive.
 */
export function multiPositive<R extends Reduction = "mean">(
  anchors: tf.Tensor2D,
  candidates: tf.Tensor2D,
  positive: ArrayLike<boolean | number>,
  options: MultiPositiveOptions<R> = {},
): Reduced<R> {
  return contrast("multiPositive", anchors, candidates, positive, options);
}

/** {@link multiPositive} for the function `where`, whose name its errors bear. */
export function contrast<R extends Reduction = "mean">(
  where: string,
  anchors: tf.Tensor2D,
  candidates: tf.Tensor2D,
  positive: ArrayLike<boolean | number>,
  options: MultiPositiveOptions<R>,
): Reduced<R> {
  const { temperature = 0.1, similarity = cosineSimilarity, formulation = "out", excluded } = options;
  const { reduction = "mean" as R } = options;
  checkTemperature(where, temperature);
  if (anchors.rank !== 2 || candidates.rank !== 2 || anchors.shape[1] !== candidates.shape[1]) {
    throw new Error(
      `${where}: expected anchors [n, dim] and candidates [m, dim], got [${anchors.shape}] and [${candidates.shape}]`,
    );
  }
  if (formulation !== "out" && formulation !== "in" && formulation !== "mil-nce") {
    throw new Error(
      `${where}: formulation must be "out", "in" or "mil-nce", got ${JSON.stringify(formulation)}`,
    );
  }
  const [n, m] = [anchors.shape[0], candidates.shape[0]];
  const masks = readMasks(where, n, m, positive, excluded, formulation);
  return tf.tidy(() => {
    const scores = tf.div(similarity(anchors, candidates), temperature);
    const among = (mask: Uint8Array) =>
      tf.logSumExp(tf.where(tf.tensor2d(mask, [n, m], "bool"), scores, tf.fill([n, m], absent)), 1);
    const total = among(masks.present);
    if (formulation !== "out") {
      const losses = tf.sub(total, among(masks.positive));
      return reduce(
        (formulation === "in" ? tf.add(losses, tf.log(tf.tensor1d(masks.counts))) : losses) as tf.Tensor1D,
        reduction,
      );
    }
    const shares = tf.tensor2d(
      Float32Array.from(masks.positive, (is, at) => is / masks.counts[Math.floor(at / m)]),
      [n, m],
    );
    return reduce(tf.sub(total, tf.sum(tf.mul(scores, shares), 1)) as tf.Tensor1D, reduction);
  }) as Reduced<R>;
}

function readMasks(
  where: string,
  n: number,
  m: number,
  positive: ArrayLike<boolean | number>,
  excluded: ArrayLike<boolean | number> | undefined,
  formulation: Formulation,
) {
  for (const [name, mask] of Object.entries({ positive, ...(excluded && { excluded }) })) {
    if (mask.length !== n * m) {
      throw new Error(
        `${where}: ${name} must have ${n} x ${m} = ${n * m} entries, one for each anchor and candidate, got ${mask.length}`,
      );
    }
  }
  const present = Uint8Array.from({ length: n * m }, (_, at) => (excluded?.[at] ? 0 : 1));
  const positives = present.map((is, at) => (is && positive[at] ? 1 : 0));
  const count = (mask: Uint8Array, i: number) =>
    mask.subarray(i * m, (i + 1) * m).reduce((sum, is) => sum + is, 0);
  const counts = Float32Array.from({ length: n }, (_, i) => count(positives, i));
  const lonely = counts.indexOf(0);
  if (lonely >= 0) throw new Error(`${where}: anchor ${lonely} has no positive`);
  let negatives = 0;
  for (let i = 0; i < n; i++) {
    const candidates = count(present, i);
    if (candidates < 2) {
      throw new Error(
        `${where}: anchor ${i} has one candidate, its positive, and so a constant loss; expected two or more`,
      );
    }
    negatives += candidates - counts[i];
  }
  if (negatives === 0 && formulation !== "out") {
    throw new Error(
      `${where}: no anchor has a negative, which makes the loss of formulation "${formulation}" constant`,
    );
  }
  return { present, positive: positives, counts };
}
