import * as tf from "@tensorflow/tfjs-core";
import { gramMatrix } from "../measure/conflict.js";
import { eigenSymmetric } from "./dense.js";

/** What an aggregator may know beside the gradients of the step. */
export interface AggregatorContext {
  /** Which step this is, from 0; seeds random orders, so that a resumed run draws the same. Default 0. */
  step?: number;
  /** The `memory` that the previous step returned, where it returned one. */
  memory?: readonly number[];
}

/** Weights of the gradients in the step's direction. */
export interface Weighting {
  weights: Float64Array;
  /** What the next step must be given: plain numbers, to be saved with a run. */
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

/** A Gram matrix divided by its trace, which no aggregator's direction depends on and float64 sums are safe with. */
export interface NormalizedGram {
  m: number;
  /** The trace that it was divided by: the sum of squared norms; 0 where all gradients are. */
  trace: number;
  /** Row by row; symmetric and positive semidefinite. */
  entries: Float64Array;
  at(i: number, j: number): number;
}

/** Checks a Gram matrix, divides it by its trace and removes what only float32's rounding can have put there. `O(m^3)`. */
export function normalizeGram(where: string, gram: ArrayLike<number>): NormalizedGram {
  const m = Math.sqrt(gram.length);
  if (m === 0 || !Number.isInteger(m)) {
    throw new Error(`${where}: gram must have m * m entries for m losses, got ${gram.length}`);
  }
  let trace = 0;
  for (let i = 0; i < m; i++) trace += gram[i * m + i];
  for (let at = 0; at < m * m; at++) {
    if (Number.isFinite(gram[at])) continue;
    throw new Error(
      `${where}: gram must be finite, got ${gram[at]} for losses ${Math.floor(at / m)} and ${at % m}`,
    );
  }
  const symmetric = Float64Array.from({ length: m * m }, (_, at) => {
    const mirrored = (at % m) * m + Math.floor(at / m);
    return trace > 0 ? (gram[at] + gram[mirrored]) / 2 / trace : 0;
  });
  const entries = positiveSemidefinite(symmetric, m);
  return { m, trace, entries, at: (i, j) => entries[i * m + j] };
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
