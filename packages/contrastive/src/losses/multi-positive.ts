import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings, type Labels } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { compare, type Similarity } from "../distances/distance.js";
import { keepWhere, logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { saturate } from "../math/saturate.js";
import { stopGradient } from "../math/stop-gradient.js";
import { anchorsWithoutPositives, type WithoutPositives } from "../pairs/without-positives.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkChoice, checkNumber, checkOptions, describe } from "../shared/check-options.js";

/** Options of the losses with a temperature. */
export interface ContrastiveOptions<R extends Reduction = Reduction> {
  /** Greater than 0. Default 0.1. */
  temperature?: number;
  /** Default {@link cosineSimilarity}. */
  similarity?: Similarity;
  /** Over the anchors. Default `"mean"`. */
  reduction?: R;
}

/** The names of {@link ContrastiveOptions}, for `checkOptions`. */
export const contrastiveOptionNames = { temperature: true, similarity: "function", reduction: true } as const;

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
  /**
   * Whether candidate j takes no part for anchor i, row by row, `n * m`: the anchor itself, or a false negative. Default none is left
   * out.
   */
  excluded?: ArrayLike<boolean | number>;
  /** The weight of each anchor's loss, `n`, each at least 0. Default 1. */
  weights?: ArrayLike<number>;
  /** Default `"error"`. */
  withoutPositives?: WithoutPositives;
}

/** The names of {@link MultiPositiveOptions}, for `checkOptions`. */
export const multiPositiveOptionNames = {
  ...contrastiveOptionNames,
  formulation: true,
  excluded: true,
  weights: true,
  withoutPositives: true,
} as const;

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
 * @returns `[n]`, or its reduction; the caller disposes it
 * @throws when an anchor has no positive or fewer than two candidates, when the loss is constant, on shapes that do
 *   not agree, on a temperature that is not positive and on unknown options
 *
 * @example
 * const loss = multiPositive(images, texts, { positive: mask, temperature: 0.07 });
 */
export function multiPositive<R extends Reduction = "mean">(
  anchors: tf.Tensor,
  candidates: tf.Tensor,
  options: MultiPositiveOptions<R> & {
    /** Whether candidate j is a positive of anchor i, row by row, `n * m`. */
    positive: ArrayLike<boolean | number>;
  },
): Reduced<R> {
  const { positive, ...rest } = checkOptions<typeof options>("multiPositive", options, {
    ...multiPositiveOptionNames,
    positive: true,
  });
  return contrast("multiPositive", {
    anchors,
    candidates,
    positive,
    options: rest as MultiPositiveOptions<R>,
  });
}

/** {@link multiPositive} for the function `caller`, whose name its errors bear. */
export function contrast<R extends Reduction = "mean">(
  caller: string,
  inputs: {
    anchors: tf.Tensor;
    candidates: tf.Tensor;
    positive: ArrayLike<boolean | number>;
    options: MultiPositiveOptions<R>;
    labels?: Labels;
  },
): Reduced<R> {
  const {
    temperature = 0.1,
    similarity = cosineSimilarity,
    ...rest
  } = checkOptions<MultiPositiveOptions<R>>(caller, inputs.options, multiPositiveOptionNames);
  checkFloat(`${caller}: temperature`, temperature, { above: 0 });
  return tf.tidy(() => {
    const anchors = checkEmbeddings(`${caller}: anchors`, inputs.anchors);
    const candidates = checkEmbeddings(`${caller}: candidates`, inputs.candidates);
    if (anchors.shape[1] !== candidates.shape[1]) {
      throw new Error(
        `${caller}: expected anchors [n, dim] and candidates [m, dim], got [${anchors.shape}] and [${candidates.shape}]`,
      );
    }
    const cosines = compare(`${caller}: similarity`, similarity, anchors, candidates);
    const scores = saturate(tf.div(cosines, temperature) as tf.Tensor2D);
    return contrastScores(caller, scores, { ...rest, positive: inputs.positive, labels: inputs.labels });
  }) as Reduced<R>;
}

/** {@link multiPositive} of given scores `s / t`, `[n, m]`. */
export function contrastScores<R extends Reduction = "mean">(
  caller: string,
  scores: tf.Tensor2D,
  options: Omit<MultiPositiveOptions<R>, "temperature" | "similarity"> & {
    positive: ArrayLike<boolean | number>;
    labels?: Labels;
  },
): Reduced<R> {
  const { positive, excluded, weights, labels } = options;
  const { formulation = "out", withoutPositives = "error", reduction = "mean" as R } = options;
  checkChoice(`${caller}: formulation`, formulation, ["out", "in", "mil-nce"]);
  const [n, m] = scores.shape;
  const masks = readMasks(caller, [n, m], { positive, excluded, formulation, withoutPositives });
  if (weights !== undefined) {
    if (weights?.length !== n) {
      throw new Error(
        `${caller}: weights must hold ${n} numbers, one for each anchor, got ${weights?.length ?? describe(weights)}`,
      );
    }
    for (let i = 0; i < n; i++) checkFloat(`${caller}: weights[${i}]`, weights[i], { min: 0 });
  }
  return tf.tidy(() => {
    let losses = lossOfEach(scores, masks, formulation);
    const isLonely = masks.counts.some((count) => count === 0);
    if (isLonely)
      losses = tf.where(tf.tensor1d(masks.counts.map(Number), "bool"), losses, tf.zerosLike(losses));
    if (weights) losses = tf.mul(losses, tf.tensor1d(Float32Array.from(weights)));
    let anchor = Int32Array.from({ length: n }, (_, i) => i);
    if (isLonely && withoutPositives === "skip") {
      anchor = anchor.filter((i) => masks.counts[i] > 0);
      losses = tf.gather(losses, tf.tensor1d(anchor, "int32"));
    }
    return reduce(losses as tf.Tensor1D, reduction, { anchor, count: n, labels });
  }) as Reduced<R>;
}

interface Masks {
  /** Whether a candidate takes part, `n * m`. */
  present: Uint8Array;
  /** Whether it takes part as a positive, `n * m`. */
  positive: Uint8Array;
  /** Positives of each anchor. */
  counts: Float32Array;
}

/** Losses of the anchors, `[n]`, in forms that keep the digits of losses far below 1. */
function lossOfEach(
  scores: tf.Tensor2D,
  { present, positive, counts }: Masks,
  formulation: Formulation,
): tf.Tensor {
  const shape = scores.shape;
  const m = shape[1];
  const mask = (entries: Uint8Array) => tf.tensor2d(entries, shape, "bool");
  const negative = present.map((is, at) => (is && !positive[at] ? 1 : 0));
  if (formulation !== "out") {
    const sum = (entries: Uint8Array) => tf.logSumExp(keepWhere(mask(entries), scores), 1);
    const losses = tf.softplus(tf.sub(sum(negative), sum(positive)));
    return formulation === "in"
      ? tf.add(losses, tf.log(tf.tensor1d(counts.map((count) => count || 1))))
      : losses;
  }
  const shares = tf.tensor2d(
    Float32Array.from(positive, (is, at) => (is ? 1 / counts[Math.floor(at / m)] : 0)),
    shape,
  );
  if (counts.every((count) => count <= 1)) {
    const own = tf.sum(tf.mul(scores, shares), 1, true);
    return logOnePlusSumExp(keepWhere(mask(negative), tf.sub(scores, own)));
  }
  const candidates = keepWhere(mask(present), scores);
  const largest = stopGradient(tf.max(candidates, 1, true));
  const below = saturate(tf.sub(scores, largest));
  const total = tf.log(tf.sum(tf.exp(tf.sub(candidates, largest)), 1));
  return tf.sub(total, tf.sum(tf.mul(below, shares), 1));
}

/** Refuses an entry that is neither a boolean nor a number: a text such as "0" would count as true. */
export function checkFlags(name: string, flags: ArrayLike<unknown>): void {
  for (let at = 0; at < flags.length; at++) {
    if (typeof flags[at] !== "boolean") checkNumber(`${name}[${at}]`, flags[at]);
  }
}

function readMasks(
  caller: string,
  [n, m]: readonly [number, number],
  given: Required<Pick<MultiPositiveOptions, "formulation" | "withoutPositives">> & {
    positive: ArrayLike<boolean | number>;
    excluded?: ArrayLike<boolean | number>;
  },
): Masks {
  const { positive, excluded, formulation, withoutPositives } = given;
  for (const [name, mask] of Object.entries({ positive, ...(excluded !== undefined && { excluded }) })) {
    if (mask?.length !== n * m) {
      throw new Error(
        `${caller}: ${name} must have ${n} x ${m} = ${n * m} entries, one for each anchor and candidate, got ${mask?.length ?? describe(mask)}`,
      );
    }
    checkFlags(`${caller}: ${name}`, mask);
  }
  const present = Uint8Array.from({ length: n * m }, (_, at) => (excluded?.[at] ? 0 : 1));
  const positives = present.map((is, at) => (is && positive[at] ? 1 : 0));
  const count = (mask: Uint8Array, i: number) =>
    mask.subarray(i * m, (i + 1) * m).reduce((sum, is) => sum + is, 0);
  const counts = Float32Array.from({ length: n }, (_, i) => count(positives, i));
  anchorsWithoutPositives(caller, counts, withoutPositives);
  let negatives = 0;
  for (let i = 0; i < n; i++) {
    if (counts[i] === 0) continue;
    const candidates = count(present, i);
    if (candidates < 2) {
      throw new Error(
        `${caller}: anchor ${i} has one candidate, its positive, and so a constant loss; expected two or more`,
      );
    }
    negatives += candidates - counts[i];
  }
  if (negatives === 0 && formulation !== "out") {
    throw new Error(
      `${caller}: no anchor has a negative, which makes the loss of formulation "${formulation}" constant`,
    );
  }
  return { present, positive: positives, counts };
}
