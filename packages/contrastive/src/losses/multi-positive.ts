import * as tf from "@tensorflow/tfjs-core";
import { checkBlockSize, inBlocks } from "../blocks/in-blocks.js";
import { checkEmbeddings, type Labels } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import type { Similarity } from "../distances/distance.js";
import { rowComparison } from "../distances/row-comparison.js";
import { keepWhere, logOnePlusSumExp } from "../math/masked-log-sum-exp.js";
import { saturate } from "../math/saturate.js";
import { stopGradient } from "../math/stop-gradient.js";
import type { WithoutPositives } from "../pairs/without-positives.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkChoice, checkOptions, describe } from "../shared/check-options.js";
import type { Formulation } from "./formulation.js";
import { type Flags, givenMask, type MaskRows, type Masks, readMasks } from "./masks.js";

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

export interface MultiPositiveOptions<R extends Reduction = Reduction> extends ContrastiveOptions<R> {
  /** Default `"out"`. */
  formulation?: Formulation;
  /**
   * Whether candidate j takes no part for anchor i, row by row, `n * m`: the anchor itself, or a false negative. Default none is left
   * out.
   */
  excluded?: Flags;
  /** The weight of each anchor's loss, `n`, each at least 0. Default 1. */
  weights?: ArrayLike<number>;
  /** Default `"error"`. */
  withoutPositives?: WithoutPositives;
  /**
   * Anchors at once, at least 1: memory is then `O(blockSize m)` in place of `O(n m)`, with the same values and gradients, at the price
   * of one more forward pass. Default: all anchors.
   */
  blockSize?: number;
}

/** The names of {@link MultiPositiveOptions}, for `checkOptions`. */
export const multiPositiveOptionNames = {
  ...contrastiveOptionNames,
  formulation: true,
  excluded: true,
  weights: true,
  withoutPositives: true,
  blockSize: true,
} as const;

/**
 * Contrastive loss of anchors against candidates with any set of positives `P(i)`. With
 * `q_ij = exp(s_ij / t) / sum_k exp(s_ik / t)` over the candidates that are not excluded for `i`:
 *
 *     out:     -1/|P(i)| sum_{j in P(i)} log q_ij
 *     in:      -log( 1/|P(i)| sum_{j in P(i)} q_ij )
 *     mil-nce: -log sum_{j in P(i)} q_ij
 *
 * The other losses with a temperature are this with their own mask. Time `O(n m dim)`, memory `O(n m)`
 * without `blockSize`.
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
    positive: Flags;
  },
): Reduced<R> {
  const caller = "multiPositive";
  const { positive, excluded, ...rest } = checkOptions<typeof options>(caller, options, {
    ...multiPositiveOptionNames,
    positive: true,
  });
  return tf.tidy(() => {
    const rows = {
      anchors: checkEmbeddings(`${caller}: anchors`, anchors),
      candidates: checkEmbeddings(`${caller}: candidates`, candidates),
    };
    if (rows.anchors.shape[1] !== rows.candidates.shape[1]) {
      throw new Error(
        `${caller}: expected anchors [n, dim] and candidates [m, dim], got [${anchors.shape}] and [${candidates.shape}]`,
      );
    }
    const shape = [anchors.shape[0]!, candidates.shape[0]!] as const;
    return contrast(caller, {
      ...rows,
      positive: givenMask(`${caller}: positive`, positive, shape),
      excluded: excluded !== undefined ? givenMask(`${caller}: excluded`, excluded, shape) : undefined,
      options: rest as MultiPositiveOptions<R>,
    });
  }) as Reduced<R>;
}

/** Which candidates are positives and which take no part, and the labels of the anchors, for reducers. */
interface Contrasted {
  positive: MaskRows;
  excluded?: MaskRows;
  labels?: Labels;
}

/** {@link multiPositive} of checked rows for the function `caller`, whose name its errors bear. */
export function contrast<R extends Reduction = "mean">(
  caller: string,
  inputs: Contrasted & {
    anchors: tf.Tensor2D;
    candidates: tf.Tensor2D;
    options: Omit<MultiPositiveOptions<R>, "excluded">;
  },
): Reduced<R> {
  const { anchors, candidates, options, ...contrasted } = inputs;
  const { temperature = 0.1, similarity = cosineSimilarity, blockSize, ...rest } = options;
  checkFloat(`${caller}: temperature`, temperature, { above: 0 });
  checkBlockSize(caller, blockSize);
  return tf.tidy(() => {
    const shape = [anchors.shape[0], candidates.shape[0]] as const;
    const read = readContrasted(caller, shape, { ...contrasted, ...rest });
    const { prepare, compareRows } = rowComparison(caller, similarity);
    const x = prepare(anchors);
    const y = candidates === anchors ? x : prepare(candidates);
    const losses = inBlocks({ rows: [x], whole: [y], blockSize }, ([a], [c], first) =>
      read.losses(saturate(tf.div(compareRows(a, c), temperature) as tf.Tensor2D), first),
    );
    return read.reduced(losses);
  }) as Reduced<R>;
}

/** {@link multiPositive} of given scores `s / t`, `[n, m]`. */
export function contrastScores<R extends Reduction = "mean">(
  caller: string,
  scores: tf.Tensor2D,
  options: Contrasted & Pick<MultiPositiveOptions<R>, "formulation" | "withoutPositives" | "reduction">,
): Reduced<R> {
  const read = readContrasted(caller, scores.shape, options);
  return tf.tidy(() => read.reduced(read.losses(scores, 0))) as Reduced<R>;
}

/** Checks masks and options. @returns the losses of scores of the rows from `first` on, and what is made of the losses of all */
function readContrasted<R extends Reduction>(
  caller: string,
  [n, m]: readonly [number, number],
  options: Contrasted &
    Pick<MultiPositiveOptions<R>, "formulation" | "withoutPositives" | "reduction" | "weights">,
) {
  const { positive, excluded, weights, labels } = options;
  const { formulation = "out", withoutPositives = "error", reduction = "mean" as R } = options;
  checkChoice(`${caller}: formulation`, formulation, ["out", "in", "mil-nce"]);
  const masks = readMasks(caller, [n, m], { positive, excluded, formulation, withoutPositives });
  if (weights !== undefined) {
    if (weights?.length !== n) {
      throw new Error(
        `${caller}: weights must hold ${n} numbers, one for each anchor, got ${weights?.length ?? describe(weights)}`,
      );
    }
    for (let i = 0; i < n; i++) checkFloat(`${caller}: weights[${i}]`, weights[i], { min: 0 });
  }
  const reduced = (all: tf.Tensor): Reduced<R> => {
    let losses = all;
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
  };
  return {
    losses: (scores: tf.Tensor2D, first: number) => lossOfEach(scores, { masks, formulation, first }),
    reduced,
  };
}

/** Losses of the anchors from `first` on, `[rows]`, in forms that keep the digits of losses far below 1. */
function lossOfEach(
  scores: tf.Tensor2D,
  { masks, formulation, first }: { masks: Masks; formulation: Formulation; first: number },
): tf.Tensor {
  const shape = scores.shape;
  const [count, m] = shape;
  const { present, positive } = masks.rows(first, count);
  const counts = masks.counts.subarray(first, first + count);
  const mask = (flags: Uint8Array) => tf.tensor2d(flags, shape, "bool");
  // Plain loops: calls for each entry cost more than the loss.
  const negative = new Uint8Array(present.length);
  for (let at = 0; at < present.length; at++) negative[at] = present[at] & (1 - positive[at]);
  if (formulation !== "out") {
    const sum = (flags: Uint8Array) => tf.logSumExp(keepWhere(mask(flags), scores), 1);
    const losses = tf.softplus(tf.sub(sum(negative), sum(positive)));
    return formulation === "in" ? tf.add(losses, tf.log(tf.tensor1d(counts.map((own) => own || 1)))) : losses;
  }
  const entries = new Float32Array(positive.length);
  for (let i = 0, at = 0; i < count; i++) {
    for (let j = 0; j < m; j++, at++) if (positive[at]) entries[at] = 1 / counts[i];
  }
  const shares = tf.tensor2d(entries, shape);
  // All anchors alike, so that blocks have the values of the whole.
  if (masks.counts.every((own) => own <= 1)) {
    const own = tf.sum(tf.mul(scores, shares), 1, true);
    return logOnePlusSumExp(keepWhere(mask(negative), tf.sub(scores, own)));
  }
  const candidates = keepWhere(mask(present), scores);
  const largest = stopGradient(tf.max(candidates, 1, true));
  const below = saturate(tf.sub(scores, largest));
  const total = tf.log(tf.sum(tf.exp(tf.sub(candidates, largest)), 1));
  return tf.sub(total, tf.sum(tf.mul(below, shares), 1));
}
