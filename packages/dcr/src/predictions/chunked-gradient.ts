import * as tf from "@tensorflow/tfjs-core";
import { checkFloatTensor } from "../objectives/check-float-tensor.js";
import { checkFunction, checkNumber, describe } from "../shared/check-options.js";

/** Many predictions from few conditions: prediction `r` is made with condition `conditionOf[r]`. */
export interface ConditionedPredictions {
  /** `e`, `[M, ...]`. */
  conditions: tf.Tensor;
  /** For each of the `R` predictions its row of `conditions`. */
  conditionOf: Int32Array;
  /**
   * Makes some of the predictions: numbers in `0..R-1`, and for each its condition, `[rows.length, ...]`.
   * Returns `[rows.length, ...]`, differentiable in the conditions. Runs in a tidy: it need dispose nothing.
   */
  predict: (rows: Int32Array, conditions: tf.Tensor) => tf.Tensor;
  /** How many predictions are made at once; 0 makes all. */
  chunk: number;
}

/** A loss on all predictions and its gradient there, `[R, ...]`. */
export interface LossGradient {
  value: tf.Scalar;
  gradient: tf.Tensor;
}

/** A loss's value, and its gradient at the conditions; the caller disposes both. */
export interface ConditionGradient {
  value: tf.Scalar;
  /** `[M, ...]`, of the shape of the conditions. */
  conditionGradient: tf.Tensor;
}

/**
 * Predictions, `[rows.length, ...]`, `chunk` at a time and without a graph; the caller disposes them.
 *
 * @param rows which predictions; default all
 */
export function predictInChunks(predictions: ConditionedPredictions, rows?: Int32Array): tf.Tensor {
  const { conditions, conditionOf, predict, chunk, asked } = check("predictInChunks", predictions, rows);
  return tf.tidy(() =>
    tf.concat(
      [...chunks(asked, chunk)].map(([, part]) =>
        tf.tidy(() => predict(part, gatherRows(conditions, conditionOf, part))),
      ),
    ),
  );
}

/**
 * `sum over rows of <dPredictions_r, d predict_r / d conditions>`, `chunk` rows at a time, so that no more graphs than
 * that are alive. The caller disposes the result.
 *
 * @param dPredictions `[rows.length, ...]`, the loss's gradient at those predictions.
 * @param rows which predictions have a gradient; default all.
 * @returns `[M, ...]`, of the shape of `conditions`.
 */
export function backpropagateInChunks(
  predictions: ConditionedPredictions,
  dPredictions: tf.Tensor,
  rows?: Int32Array,
): tf.Tensor {
  const caller = "backpropagateInChunks";
  const { conditions, conditionOf, predict, chunk, asked } = check(caller, predictions, rows);
  checkFloatTensor(`${caller}: dPredictions`, dPredictions);
  if (dPredictions.shape[0] !== asked.length) {
    throw new Error(
      `${caller}: dPredictions must have a row for each of ${asked.length} predictions, got [${dPredictions.shape}]`,
    );
  }
  return tf.tidy(() => {
    let sum: tf.Tensor | undefined;
    for (const [start, part] of chunks(asked, chunk)) {
      const before = sum;
      sum = tf.tidy(() => {
        const dy = tf.slice(dPredictions, start, part.length);
        const e = gatherRows(conditions, conditionOf, part);
        const perRow = tf.grad((x) => predict(part, x))(e, dy);
        const added = scatterRows(perRow, conditions.shape, conditionOf, part);
        return before ? tf.add(before, added) : added;
      });
      before?.dispose();
    }
    return sum!;
  });
}

/**
 * The gradient of a loss on many predictions at the few conditions that they were made with, exactly, with a bounded
 * number of graphs (GradCache; Gao et al. 2021, section 3): all predictions but the last `chunk` without a graph, those with
 * one, the loss and its gradient, then the others again, `chunk` at a time with a graph, to carry it to the conditions.
 *
 * Costs one forward pass of all but `chunk` predictions more than the plain path. Peak memory is that of `chunk` graphs, plus predictions and their
 * gradient, which hold `R` outputs and no intermediates.
 *
 * @param lossGradients takes all predictions `[R, ...]`; it need dispose nothing. Its gradient is in closed form, as
 *   that of {@link dcrLossGradients}: it cannot use `tf.grad`, since it may run while a graph is recorded.
 * @throws when `chunk` is not an integer of at least 0 or there are no predictions.
 */
export function chunkedGradient(
  predictions: ConditionedPredictions,
  lossGradients: (predictions: tf.Tensor) => LossGradient,
): ConditionGradient {
  return gradientAtConditions("chunkedGradient", predictions, (predicted) =>
    tf.customGrad((x, save) => {
      const { value, gradient } = lossGradients(x as tf.Tensor);
      (save as tf.GradSaveFunc)([gradient]);
      return { value, gradFunc: (dy, [saved]) => tf.mul(saved, dy) };
    })(predicted),
  );
}

/**
 * {@link chunkedGradient} for any differentiable loss on the predictions, in place of one with its gradient in closed form.
 *
 * @param loss takes all predictions `[R, ...]` to a scalar; it need dispose nothing
 */
export function chunkedLossGradient(
  predictions: ConditionedPredictions,
  loss: (predictions: tf.Tensor) => tf.Tensor,
): ConditionGradient {
  return gradientAtConditions("chunkedLossGradient", predictions, loss);
}

function gradientAtConditions(
  caller: string,
  predictions: ConditionedPredictions,
  loss: (predictions: tf.Tensor) => tf.Tensor,
): ConditionGradient {
  const { conditions, conditionOf, predict, chunk, asked: rows } = check(caller, predictions);
  const first = chunk === 0 ? 0 : Math.max(0, rows.length - chunk);
  const [others, last] = [rows.subarray(0, first), rows.subarray(first)];
  return tf.tidy(() => {
    const lastConditions = gatherRows(conditions, conditionOf, last);
    const toConditions = (perRow: tf.Tensor) => scatterRows(perRow, conditions.shape, conditionOf, last);
    if (others.length === 0) {
      const { value, grad } = tf.valueAndGrad((e) => loss(predict(last, e)))(lastConditions);
      return { value: value as tf.Scalar, conditionGradient: toConditions(grad) };
    }
    const { value, grads } = tf.valueAndGrads((predicted, e) =>
      loss(tf.concat([predicted, predict(last, e)])),
    )([predictInChunks(predictions, others), lastConditions]);
    const [dPredicted, perRow] = grads;
    const conditionGradient = tf.add(
      toConditions(perRow),
      backpropagateInChunks(predictions, dPredicted, others),
    );
    return { value: value as tf.Scalar, conditionGradient };
  });
}

/** Checks predictions and which of them are asked for, by default all. */
function check(
  caller: string,
  predictions: ConditionedPredictions,
  rows?: Int32Array,
): ConditionedPredictions & { asked: Int32Array } {
  // An object of a user's own, which may have other fields.
  const { conditions, conditionOf, predict, chunk } = predictions ?? {};
  checkFloatTensor(`${caller}: conditions`, conditions);
  checkFunction(`${caller}: predict`, predict);
  checkNumber(`${caller}: chunk`, chunk, { integer: true, min: 0 });
  if (!(conditionOf instanceof Int32Array)) {
    throw new TypeError(`${caller}: conditionOf must be an Int32Array, got ${describe(conditionOf)}`);
  }
  const count = conditionOf.length;
  const asked = rows ?? Int32Array.from({ length: count }, (_, i) => i);
  if (!(asked instanceof Int32Array)) {
    throw new TypeError(`${caller}: rows must be an Int32Array, got ${describe(asked)}`);
  }
  if (asked.length === 0) throw new Error(`${caller}: expected one prediction or more, got none`);
  // Some backends read zeros or another tensor's memory outside of the range, and there is no gradient.
  for (const row of asked) {
    if (row < 0 || row >= count) {
      throw new RangeError(`${caller}: rows must be of predictions in 0..${count - 1}, got ${row}`);
    }
    const condition = conditionOf[row];
    if (condition < 0 || condition >= conditions.shape[0]) {
      throw new RangeError(
        `${caller}: conditionOf must name rows of conditions in 0..${conditions.shape[0] - 1}, got ${condition}`,
      );
    }
  }
  return { conditions, conditionOf, predict, chunk, asked };
}

function gatherRows(conditions: tf.Tensor, conditionOf: Int32Array, rows: Int32Array): tf.Tensor {
  return tf.gather(
    conditions,
    tf.tensor1d(
      Int32Array.from(rows, (row) => conditionOf[row]),
      "int32",
    ),
  );
}

/** The transpose of {@link gatherRows}, as a product with one-hot rows: each condition gets its rows' sum. */
function scatterRows(
  perRow: tf.Tensor,
  shape: number[],
  conditionOf: Int32Array,
  rows: Int32Array,
): tf.Tensor {
  const oneHot = new Float32Array(shape[0] * rows.length);
  for (const [i, row] of rows.entries()) oneHot[conditionOf[row] * rows.length + i] = 1;
  const flat = tf.reshape(perRow, [rows.length, -1]) as tf.Tensor2D;
  return tf.reshape(tf.matMul(tf.tensor2d(oneHot, [shape[0], rows.length]), flat), shape);
}

function* chunks(rows: Int32Array, chunk: number): Iterable<[start: number, rows: Int32Array]> {
  const step = chunk === 0 ? rows.length : chunk;
  for (let start = 0; start < rows.length; start += step) yield [start, rows.subarray(start, start + step)];
}
