import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { describe } from "../shared/check-options.js";

/** A reduction by name. */
export type ReductionName = "mean" | "sum" | "none";

/** To which rows the losses belong, for reducers that group or weight them. */
export interface ReductionContext {
  /** For each loss the row of its anchor, or of its class for losses per class. */
  anchor: Int32Array;
  /** How many rows (or classes) there are. */
  count: number;
  /** The label of each row, where the loss knows it. */
  labels?: Labels;
}

/**
 * Makes the result of the single losses `[k]`, each of a sample, a pair or a triplet. It must be differentiable, and is called
 * within a tidy.
 */
export type Reducer<T extends tf.Tensor = tf.Tensor> = (losses: tf.Tensor1D, context: ReductionContext) => T;

/** How single losses become the result: their mean, their sum, themselves, or a function of them. */
export type Reduction = ReductionName | Reducer;

/** The result of a reduction: a scalar, one value for each loss, or whatever a reducer returns. */
export type Reduced<R extends Reduction> = R extends "none"
  ? tf.Tensor1D
  : R extends ReductionName
    ? tf.Scalar
    : R extends (...args: never[]) => infer T
      ? T
      : tf.Tensor;

/**
 * Applies a reduction to single losses. The mean of no losses is 0.
 *
 * @param losses `[k]`
 * @param context by default loss i is of row i
 * @returns the result; the caller disposes it
 * @throws on an unknown reduction, and when a function returns no tensor
 */
export function reduce<R extends Reduction>(
  losses: tf.Tensor1D,
  reduction: R,
  context: Partial<ReductionContext> = {},
): Reduced<R> {
  if (typeof reduction === "function") {
    const rows = { anchor: Int32Array.from({ length: losses.size }, (_, i) => i), count: losses.size };
    return tf.tidy(() => reduceBy(reduction, losses, { ...rows, ...context })) as Reduced<R>;
  }
  if (reduction === "none") return tf.clone(losses) as Reduced<R>;
  if (reduction === "sum" || (reduction === "mean" && losses.size === 0)) return tf.sum(losses) as Reduced<R>;
  if (reduction === "mean") return tf.mean(losses) as Reduced<R>;
  throw new RangeError(`reduction must be "mean", "sum", "none" or a function, got ${describe(reduction)}`);
}

function reduceBy(reducer: Reducer, losses: tf.Tensor1D, context: ReductionContext): tf.Tensor {
  const result: unknown = reducer(losses, context);
  if (result instanceof tf.Tensor) return result;
  const called = typeof result === "function" ? "; perAnchor() and its like make a reducer" : "";
  throw new TypeError(`reduction must return a tensor, got ${describe(result)}${called}`);
}
