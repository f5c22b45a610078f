import * as tf from "@tensorflow/tfjs-core";
import { gramMatrix } from "../measure/conflict.js";
import { checkNumber, describe } from "../shared/check-options.js";
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
 * alone. With `m` losses and `n` parameters the Gram matrix costs `O(m^2 n)` on the device and the sum `O(m n)`; the
 * weights cost what each aggregator states, in `m` alone, in float64.
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
  if (gradients.length === 0 || gradients.length !== weights.length) {
    throw new Error(
      `combineGradients: expected a weight for each of ${gradients.length} losses, got ${weights.length}`,
    );
  }
  const times = (tensor: tf.Tensor, weight: number) => (weight === 1 ? tensor : tf.mul(tensor, weight));
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

/**
 * The gradient that `aggregator` makes of several losses' gradients, with one readback. The caller disposes `gradients`.
 *
 * @param gradients of each loss, the same tensors' in the same order.
 */
export async function aggregateGradients(
  aggregator: Aggregator,
  gradients: readonly (readonly tf.Tensor[])[],
  context: AggregatorContext = {},
): Promise<Weighting & { gradients: tf.Tensor[]; gram: Float64Array }> {
  const gram = await gramMatrix(gradients);
  const weighting = aggregator.weigh(gram, context);
  return { ...weighting, gram, gradients: combineGradients(gradients, weighting.weights) };
}

/** A Gram matrix without what only rounding can have put there. */
export interface CleanGram {
  m: number;
  /** The norms of the gradients. */
  norms: Float64Array;
  /** Cosines of all pairs, row by row: symmetric, positive semidefinite, 1 on the diagonal and 0 in rows of zero gradients. */
  cosines: Float64Array;
  /** The inner products divided by the trace, row by row. */
  entries: Float64Array;
  /** The trace: the sum of squared norms; 0 where all gradients are. */
  trace: number;
}

/**
 * Checks a Gram matrix, and removes the negative eigenvalues that float32's rounding gives its cosines. It works on cosines and not on
 * inner products, so that a gradient that is much shorter than another keeps its digits. `O(m^3)`.
 *
 * @throws when the matrix is not square or not finite, with the losses' names
 */
export function cleanGram(
  caller: string,
  gram: ArrayLike<number>,
  { names }: AggregatorContext = {},
): CleanGram {
  if (typeof gram?.length !== "number") {
    throw new TypeError(`${caller}: gram must be an array of inner products, got ${describe(gram)}`);
  }
  const m = Math.sqrt(gram.length);
  if (m === 0 || !Number.isInteger(m)) {
    throw new Error(`${caller}: gram must have m * m entries for m losses, got ${gram.length}`);
  }
  const nameOf = (i: number) => (names ? JSON.stringify(names[i]) : String(i));
  for (let at = 0; at < m * m; at++) {
    if (Number.isFinite(gram[at])) continue;
    // The diagonal tells whose gradient is at fault.
    const [i, j] = [Math.floor(at / m), at % m];
    const own = [i, j].find((k) => !Number.isFinite(gram[k * m + k]));
    const whose = own === undefined ? `of losses ${nameOf(i)} and ${nameOf(j)}` : `of loss ${nameOf(own)}`;
    throw new Error(`${caller}: the gradient ${whose} is not finite (inner product ${describe(gram[at])})`);
  }
  const norms = Float64Array.from({ length: m }, (_, i) => Math.sqrt(Math.max(0, gram[i * m + i])));
  const raw = Float64Array.from({ length: m * m }, (_, at) => {
    const [i, j] = [Math.floor(at / m), at % m];
    if (norms[i] === 0 || norms[j] === 0) return 0;
    if (i === j) return 1;
    const mean = gram[at] / 2 / norms[i] / norms[j] + gram[j * m + i] / 2 / norms[i] / norms[j];
    return Math.min(1, Math.max(-1, mean));
  });
  const cosines = positiveSemidefinite(raw, m);
  const longest = Math.max(...norms, 0);
  // Ratios first: squares of long gradients overflow.
  const ratios = norms.map((norm) => (longest > 0 ? norm / longest : 0));
  const total = ratios.reduce((sum, ratio) => sum + ratio ** 2, 0);
  const entries = cosines.map((cosine, at) =>
    total > 0 ? (cosine * ratios[Math.floor(at / m)] * ratios[at % m]) / total : 0,
  );
  return { m, norms, cosines, entries, trace: total * longest ** 2 };
}

/** The matrix without its negative eigenvalues, which inner products do not have. */
function positiveSemidefinite(matrix: Float64Array, m: number): Float64Array {
  const { values, vectors } = eigenSymmetric(matrix, m);
  const result = Float64Array.from(matrix);
  for (const [e, value] of values.entries()) {
    if (value >= 0) continue;
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < m; j++) result[i * m + j] -= value * vectors[i * m + e] * vectors[j * m + e];
    }
  }
  return result;
}

/** The losses' values of the context, one finite number for each of `m` losses. */
export function lossesOf(caller: string, { losses, names }: AggregatorContext, m: number): Float64Array {
  if (!losses || losses.length !== m) {
    throw new Error(
      `${caller}: context.losses must hold the values of ${m} losses, got ${losses ? losses.length : "nothing"}`,
    );
  }
  return Float64Array.from({ length: m }, (_, i) =>
    checkNumber(`${caller}: loss ${names ? JSON.stringify(names[i]) : i}`, losses[i]),
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
