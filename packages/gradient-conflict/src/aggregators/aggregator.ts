import * as tf from "@tensorflow/tfjs-core";
import { gramMatrix } from "../measure/conflict.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { checkGradients } from "./check-gradients.js";
import { eigenSymmetric } from "./dense.js";

/** Facts that an aggregator may use beside the gradients of the step. */
export interface AggregatorContext {
  /** Which step this is, from 0; seeds random orders, so that a resumed run draws the same. Default 0. */
  step?: number;
  /** The `memory` that the previous step returned, where it returned one. */
  memory?: readonly number[];
  /** The losses' values, for aggregators that weigh by them. */
  losses?: ArrayLike<number>;
  /** The losses' names, for errors. Default: their numbers. */
  names?: readonly string[];
}

/** Weights of the gradients in the step's direction. */
export interface Weighting {
  weights: Float64Array;
  /** The memory that the next step must be given: plain numbers, to be saved with a run. */
  memory?: number[];
}

/**
 * A rule that makes one gradient of several: `sum_i w_i g_i`, the weights computed from the gradients' inner products
 * only. With `m` losses and `n` parameters the Gram matrix costs `O(m^2 n)` on the device and the sum `O(m n)`; the
 * weights cost what each aggregator states, in `m` only, in float64.
 *
 * An aggregator is immutable; what it must remember goes through `memory`.
 */
export interface Aggregator {
  readonly name: string;
  /** Whether it weighs by the losses' values, which the context must then give. */
  readonly needsLosses?: boolean;
  /** @param gram `G_ij = g_i . g_j`, `m * m`, row by row. @throws when it is not square or not finite. */
  weigh(gram: ArrayLike<number>, context?: AggregatorContext): Weighting;
}

/**
 * `sum_i w_i g_i`, tensor by tensor. The caller disposes the result.
 *
 * @param gradients of each loss, the same tensors' in the same order.
 */
export function combineGradients(
  gradients: readonly (readonly tf.Tensor[])[],
  weights: ArrayLike<number>,
): tf.Tensor[] {
  checkGradients("combineGradients", gradients);
  if (gradients.length !== weights.length) {
    throw new Error(
      `combineGradients: expected a weight for each of ${gradients.length} losses, got ${weights.length}`,
    );
  }
  for (let i = 0; i < weights.length; i++) checkNumber(`combineGradients: weights[${i}]`, weights[i]);
  // One weight for all needs one product.
  const alike = Array.from(weights).every((weight) => weight === weights[0]);
  return gradients[0].map((_, at) =>
    tf.tidy(() => {
      const terms = gradients.map((list) => list[at]);
      return alike
        ? times(tf.addN(terms), weights[0])
        : tf.addN(terms.map((term, i) => times(term, weights[i])));
    }),
  );
}

/** Weights of at most so many powers of ten, up or down, are float32 numbers with all their digits. */
const mostPowers = 30;

/** The weight of a gradient much shorter than another may be no float32 where its product is one; it is multiplied in parts. */
function times(tensor: tf.Tensor, weight: number): tf.Tensor {
  if (weight === 1) return tensor;
  const parts = weight === 0 ? 1 : Math.ceil(Math.abs(Math.log10(Math.abs(weight))) / mostPowers);
  if (parts <= 1) return tf.mul(tensor, weight);
  const root = Math.abs(weight) ** (1 / parts);
  let product = tf.mul(tensor, Math.sign(weight) * root);
  for (let part = 1; part < parts; part++) product = tf.mul(product, root);
  return product;
}

/**
 * The weights of `aggregator`, which may be the user's own.
 *
 * @throws unless they are a finite number for each gradient, and where the context has a memory that the aggregator does not take:
 *   another aggregator's would be lost without a word
 */
export function weighWith(
  caller: string,
  aggregator: Aggregator,
  gram: ArrayLike<number>,
  context: AggregatorContext,
): Weighting {
  const weighting = aggregator.weigh(gram, context);
  const m = Math.sqrt(gram.length);
  const weights = weighting?.weights;
  const count = weights?.length;
  const who = `${caller}: ${aggregator.name}`;
  if (count !== m) {
    throw new Error(`${who} must give ${m} weights, one for each loss, got ${count ?? describe(weights)}`);
  }
  for (let i = 0; i < m; i++) checkNumber(`${who}: weights[${i}]`, weights[i]);
  if (context.memory && !weighting.memory) {
    throw new Error(`${who} takes no memory, got one of ${context.memory.length}`);
  }
  return weighting;
}

/**
 * The gradient that `aggregator` makes of several losses' gradients, with one readback. The caller disposes `gradients`.
 *
 * @param gradients of each loss, the same tensors' in the same order.
 * @throws as the aggregator, and when the context has a memory for an aggregator that takes none
 */
export async function aggregateGradients(
  aggregator: Aggregator,
  gradients: readonly (readonly tf.Tensor[])[],
  context: AggregatorContext = {},
): Promise<Weighting & { gradients: tf.Tensor[]; gram: Float64Array }> {
  const gram = await gramMatrix(gradients);
  const weighting = weighWith("aggregateGradients", aggregator, gram, context);
  return { ...weighting, gram, gradients: combineGradients(gradients, weighting.weights) };
}

/** Norms and cosines of the gradients. */
export interface GramCosines {
  m: number;
  /** The norms of the gradients. */
  norms: Float64Array;
  /** Cosines of all pairs, row by row: symmetric, 1 on the diagonal and 0 in rows of zero gradients. */
  cosines: Float64Array;
}

/** A Gram matrix without what only rounding can have put there: its cosines are positive semidefinite. */
export interface CleanGram extends GramCosines {
  /** The inner products divided by the trace, row by row. */
  entries: Float64Array;
  /** The trace: the sum of squared norms; 0 where all gradients are. */
  trace: number;
}

/** Checks a context's names and its step: with another a random order would be that of step 0 for ever. */
export function checkContext(caller: string, context: AggregatorContext): void {
  const { step = 0 } = checkOptions<AggregatorContext>(caller, context, {
    step: true,
    memory: true,
    losses: true,
    names: true,
  });
  checkNumber(`${caller}: context.step`, step, { min: 0, integer: true });
}

/**
 * Checks a Gram matrix and the context. `O(m^2)`.
 *
 * @returns the number of losses
 * @throws when the matrix is not square, not finite, not symmetric or not of inner products, with the losses' names, and on a context that is none
 */
export function checkGram(caller: string, gram: ArrayLike<number>, context: AggregatorContext = {}): number {
  checkContext(caller, context);
  if (typeof gram?.length !== "number") {
    throw new TypeError(`${caller}: gram must be an array of inner products, got ${describe(gram)}`);
  }
  const m = Math.sqrt(gram.length);
  if (m === 0 || !Number.isInteger(m)) {
    throw new Error(`${caller}: gram must have m * m entries for m losses, got ${gram.length}`);
  }
  for (let at = 0; at < m * m; at++) {
    if (Number.isFinite(gram[at])) continue;
    // The diagonal tells whose gradient is at fault.
    const [i, j] = [Math.floor(at / m), at % m];
    const own = [i, j].find((k) => !Number.isFinite(gram[k * m + k]));
    const whose =
      own === undefined
        ? `of losses ${nameOf(context, i)} and ${nameOf(context, j)}`
        : `of loss ${nameOf(context, own)}`;
    throw new Error(`${caller}: the gradient ${whose} is not finite (inner product ${describe(gram[at])})`);
  }
  const norms = Float64Array.from({ length: m }, (_, i) => Math.sqrt(gram[i * m + i]));
  for (let i = 0; i < m; i++) {
    if (Number.isNaN(norms[i])) {
      throw new RangeError(
        `${caller}: the inner product of the gradient of loss ${nameOf(context, i)} with itself must be at least 0, got ${gram[i * m + i]}`,
      );
    }
    for (let j = 0; j < i; j++) {
      const [one, other] = [gram[i * m + j], gram[j * m + i]];
      const lengths = norms[i] * norms[j];
      const losses = `losses ${nameOf(context, i)} and ${nameOf(context, j)}`;
      if (Math.abs(one - other) > largestRounding * lengths) {
        throw new Error(`${caller}: gram must be symmetric, got ${one} and ${other} for ${losses}`);
      }
      // Where a square vanished in float32 the lengths say nothing.
      if (lengths > 0 && Math.abs(one) > (1 + largestRounding) * lengths) {
        throw new RangeError(
          `${caller}: the inner product of ${losses} must be at most that of their lengths, ${lengths}, got ${one}`,
        );
      }
    }
  }
  return m;
}

/** Float32's rounding may change inner products by so much of the product of their lengths. */
const largestRounding = 1e-3;

/** Checks a Gram matrix as {@link checkGram}, and makes cosines of it, so that a gradient much shorter than another keeps its digits. `O(m^2)`. */
export function cosinesOf(
  caller: string,
  gram: ArrayLike<number>,
  context: AggregatorContext = {},
): GramCosines {
  const m = checkGram(caller, gram, context);
  const norms = Float64Array.from({ length: m }, (_, i) => Math.sqrt(Math.max(0, gram[i * m + i])));
  const cosines = Float64Array.from({ length: m * m }, (_, at) => {
    const [i, j] = [Math.floor(at / m), at % m];
    if (norms[i] === 0 || norms[j] === 0) return 0;
    if (i === j) return 1;
    const mean = gram[at] / 2 / norms[i] / norms[j] + gram[j * m + i] / 2 / norms[i] / norms[j];
    return Math.min(1, Math.max(-1, mean));
  });
  return { m, norms, cosines };
}

/** As {@link cosinesOf}, and removes the negative eigenvalues that float32's rounding gives the cosines. `O(m^3)`. */
export function cleanGram(
  caller: string,
  gram: ArrayLike<number>,
  context: AggregatorContext = {},
): CleanGram {
  const { m, norms, cosines: raw } = cosinesOf(caller, gram, context);
  const { values, vectors } = eigenSymmetric(raw, m);
  const negative = Array.from(values.keys()).filter((e) => values[e] < 0);
  return gramOfCosines(norms, withoutEigenvalues(raw, { values, vectors, dropped: negative }));
}

/** The Gram matrix of gradients with these norms and cosines. */
export function gramOfCosines(norms: Float64Array, cosines: Float64Array): CleanGram {
  const m = norms.length;
  const longest = Math.max(...norms, 0);
  // Ratios first: squares of long gradients overflow.
  const ratios = norms.map((norm) => (longest > 0 ? norm / longest : 0));
  const total = ratios.reduce((sum, ratio) => sum + ratio ** 2, 0);
  const entries = cosines.map((cosine, at) =>
    total > 0 ? (cosine * ratios[Math.floor(at / m)] * ratios[at % m]) / total : 0,
  );
  return { m, norms, cosines, entries, trace: total * longest ** 2 };
}

/**
 * The weights, or zeros where the weighted gradients cancel one another: no direction serves all losses then, and the remainder is
 * rounding, which may conflict with any of them.
 */
export function unlessCancelled({ m, norms, cosines }: GramCosines, weights: Float64Array): Float64Array {
  const lengths = weights.map((weight, i) => weight * norms[i]);
  const longest = lengths.reduce((most, length) => Math.max(most, Math.abs(length)), 0);
  if (longest === 0) return weights;
  let [squared, parts] = [0, 0];
  for (let i = 0; i < m; i++) {
    const own = lengths[i] / longest;
    parts += own ** 2;
    for (let j = 0; j < m; j++) squared += own * cosines[i * m + j] * (lengths[j] / longest);
  }
  return squared > cancelled ** 2 * parts ? weights : new Float64Array(m);
}

/** A combination shorter than this share of the gradients in it counts as none. */
const cancelled = 1e-5;

/** A symmetric matrix, `m * m`, less its parts along some of its eigenvectors. */
export function withoutEigenvalues(
  matrix: Float64Array,
  eigen: { values: Float64Array; vectors: Float64Array; dropped: readonly number[] },
): Float64Array {
  const { values, vectors, dropped } = eigen;
  const m = values.length;
  const result = Float64Array.from(matrix);
  for (const e of dropped) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < m; j++) result[i * m + j] -= values[e] * vectors[i * m + e] * vectors[j * m + e];
    }
  }
  return result;
}

/** The name of loss `i` for errors: its own in quotes, or its number. */
export function nameOf({ names }: AggregatorContext, i: number): string {
  return names ? JSON.stringify(names[i]) : String(i);
}

/** The losses' values of the context, one finite number of at least `min`, or its own entry of `min`, for each of `m` losses. */
export function lossesOf(
  caller: string,
  context: AggregatorContext,
  { m, min }: { m: number; min?: number | readonly number[] },
): Float64Array {
  const { losses } = context;
  if (!losses || losses.length !== m) {
    throw new Error(
      `${caller}: context.losses must hold the values of ${m} losses, got ${losses ? losses.length : "nothing"}`,
    );
  }
  return Float64Array.from({ length: m }, (_, i) =>
    checkNumber(`${caller}: loss ${nameOf(context, i)}`, losses[i], {
      min: typeof min === "object" ? min[i] : min,
    }),
  );
}

/** The memory of the context, `length` finite numbers, or undefined at the first step. */
export function memoryOf(
  caller: string,
  { memory }: AggregatorContext,
  length: number,
): number[] | undefined {
  if (!memory) return undefined;
  if (memory.length !== length) {
    throw new Error(
      `${caller}: memory must have ${length} entries, got ${memory.length}; is it another aggregator's?`,
    );
  }
  return Array.from(memory, (value, i) => checkNumber(`${caller}: memory[${i}]`, value));
}
