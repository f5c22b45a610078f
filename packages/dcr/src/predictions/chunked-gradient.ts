import * as tf from "@tensorflow/tfjs-core";
import { checkNumber } from "../shared/check-options.js";

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

/** All predictions, `[R, ...]`, `chunk` at a time and without a graph; the caller disposes them. */
export function predictInChunks({
  conditions,
  conditionOf,
  predict,
  chunk,
}: ConditionedPredictions): tf.Tensor {
  const rows = range(conditionOf.length);
  checkChunk("predictInChunks", rows.length, chunk);
  return tf.tidy(() =>
    tf.concat(
      [...chunks(rows, chunk)].map(([, part]) =>
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
  { conditions, conditionOf, predict, chunk }: ConditionedPredictions,
  dPredictions: tf.Tensor,
  rows: Int32Array = range(conditionOf.length),
): tf.Tensor {
  checkChunk("backpropagateInChunks", rows.length, chunk);
  if (dPredictions.shape[0] !== rows.length) {
    throw new Error(
      `backpropagateInChunks: dPredictions must have a row for each of ${rows.length} predictions, got [${dPredictions.shape}]`,
    );
  }
  return tf.tidy(() => {
    let sum: tf.Tensor | undefined;
    for (const [start, part] of chunks(rows, chunk)) {
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
 * number of graphs (GradCache; Gao et al. 2021, section 3): all predictions without a graph, the loss's gradient at
 * them, then the predictions again, `chunk` at a time with a graph, to carry it to the conditions. Where `chunk` holds
 * all of them, one graph serves and nothing is predicted twice.
 *
 * Costs one forward pass more than the plain path. Peak memory is that of `chunk` graphs, plus predictions and their
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
  return gradientAtConditions("chunkedGradient", predictions, lossGradients, (predicted) =>
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
  const lossGradients = (predicted: tf.Tensor) => {
    const { value, grad } = tf.valueAndGrad(loss)(predicted);
    return { value: value as tf.Scalar, gradient: grad };
  };
  return gradientAtConditions("chunkedLossGradient", predictions, lossGradients, loss);
}

function gradientAtConditions(
  where: string,
  predictions: ConditionedPredictions,
  lossGradients: (predictions: tf.Tensor) => LossGradient,
  loss: (predictions: tf.Tensor) => tf.Tensor,
): ConditionGradient {
  const { conditions, conditionOf, predict, chunk } = predictions;
  const rows = range(conditionOf.length);
  checkChunk(where, rows.length, chunk);
  return tf.tidy(() => {
    if (chunk === 0 || rows.length <= chunk) {
      const { value, grad } = tf.valueAndGrad((e) => loss(predict(rows, e)))(
        gatherRows(conditions, conditionOf, rows),
      );
      const conditionGradient = scatterRows(grad, conditions.shape, conditionOf, rows);
      return { value: value as tf.Scalar, conditionGradient };
    }
    const { value, gradient } = tf.tidy(
      () => lossGradients(predictInChunks(predictions)) as never,
    ) as LossGradient;
    return { value, conditionGradient: backpropagateInChunks(predictions, gradient) };
  });
}

function checkChunk(where: string, count: number, chunk: number): void {
  checkNumber(`${where}: chunk`, chunk, { integer: true, min: 0 });
  if (count === 0) throw new Error(`${where}: expected one prediction or more, got none`);
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

const range = (n: number) => Int32Array.from({ length: n }, (_, i) => i);
