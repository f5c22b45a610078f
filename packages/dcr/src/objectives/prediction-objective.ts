import * as tf from "@tensorflow/tfjs-core";
import { type ConditionedPredictions, chunkedLossGradient } from "../predictions/chunked-gradient.js";
import { checkChoice, checkFunction, checkOptions, checkText } from "../shared/check-options.js";
import { checkScalar } from "./check-scalar.js";
import type { Objective, Predictor } from "./objective.js";

/** The arguments of a loss on predictions: the `n` noisy images of this process, under the conditions of all `N` images. */
export interface LossPredictions {
  /** `P[i, i]`, `[n, h, w, channels]`, or with `pairs: "all"` all `P[i, k]`, `[n, N, h, w, channels]`. */
  predictions: tf.Tensor;
  /** `A+`, each image under its augmented view's condition, `[n, h, w, channels]`, where the objective uses the views. */
  augmented?: tf.Tensor4D;
  /** `G`, `[n, h, w, channels]`. */
  target: tf.Tensor4D;
  /** For each of the n rows the column of its own condition, with `pairs: "all"`. */
  anchors: Int32Array;
}

export interface PredictionObjectiveOptions {
  /** Each image under its own condition (`"own"`), or under every image's (`"all"`). Default `"own"`. */
  pairs?: "own" | "all";
  /** Whether the loss looks at the augmented views' predictions. Default false. */
  usesAugmented?: boolean;
  /** Whether the loss needs other images as negatives, so that a batch of one is refused. Default true with `pairs: "all"`, else false. */
  needsNegatives?: boolean;
}

/**
 * An objective of any differentiable loss on the denoiser's predictions. Memory does not grow with their number: they are
 * made again, some at a time, to carry the gradient on (GradCache).
 *
 * @param name of the loss in a step's record
 * @param loss takes the predictions to a scalar, the mean over the n images; it need dispose nothing
 *
 * @example
 * const absolute = predictionObjective("l1", ({ predictions, target }) => tf.mean(tf.abs(tf.sub(predictions, target))));
 */
export function predictionObjective(
  name: string,
  loss: (input: LossPredictions) => tf.Tensor,
  options?: PredictionObjectiveOptions,
): Objective {
  checkText("predictionObjective: name", name);
  checkFunction("predictionObjective: loss", loss);
  const {
    pairs = "own",
    usesAugmented = false,
    needsNegatives = pairs === "all",
  } = checkOptions("predictionObjective", options, {
    pairs: true,
    usesAugmented: "boolean",
    needsNegatives: "boolean",
  });
  checkChoice("predictionObjective: pairs", pairs, ["own", "all"]);
  return {
    name,
    usesAugmented,
    usesPredictions: true,
    needsNegatives,
    terms: ({ predictor, processes }) => {
      const asked = askPredictions(predictor!, { pairs, usesAugmented });
      const { value, conditionGradient } = chunkedLossGradient(asked.made, (predicted) => {
        const result = loss(asked.split(predicted));
        checkScalar(`objective ${name}: the loss`, result);
        return tf.div(result, processes);
      });
      return [{ name, weight: 1, value, ...asked.splitGradient(conditionGradient) }];
    },
  };
}

/** Predictions as one list of rows, and how to take rows and gradients apart again. */
export interface AskedPredictions {
  made: ConditionedPredictions;
  /** The rows of the anchors `P[i, i]`, and of the augmented views' predictions. */
  rows: { anchors: Int32Array; augmented: Int32Array };
  split(predicted: tf.Tensor): LossPredictions;
  /** The gradient at the conditions, apart for images and augmented views. */
  splitGradient(gradient: tf.Tensor): { conditions: tf.Tensor; augmentedConditions?: tf.Tensor };
}

/** Lists the predictions that a loss needs: own or all pairs by rows, then each image under its augmented view's condition. */
export function askPredictions(
  predictor: Predictor,
  { pairs, usesAugmented }: Required<Pick<PredictionObjectiveOptions, "pairs" | "usesAugmented">>,
): AskedPredictions {
  const { conditions, augmentedConditions, target, offset, chunk, predict } = predictor;
  const [n, ...item] = target.shape;
  const all = conditions.shape[0];
  const columns = pairs === "all" ? all : 1;
  const count = n * columns;
  const own = range(n, (i) => offset + i);
  const images = range(usesAugmented ? count + n : count, (row) =>
    row < count ? Math.floor(row / columns) : row - count,
  );
  const conditionOf = images.map((image, row) => {
    if (row >= count) return all + offset + image;
    return pairs === "all" ? row % columns : offset + image;
  });
  return {
    made: {
      conditions: usesAugmented ? tf.concat([conditions, augmentedConditions!]) : conditions,
      conditionOf,
      chunk,
      predict: (rows, e) =>
        predict(
          rows.map((row) => images[row]),
          e,
        ),
    },
    rows: {
      anchors: range(n, (i) => (pairs === "all" ? i * columns + offset + i : i)),
      augmented: usesAugmented ? range(n, (i) => count + i) : new Int32Array(0),
    },
    split: (predicted) => ({
      predictions: tf.reshape(
        usesAugmented ? tf.slice(predicted, 0, count) : predicted,
        pairs === "all" ? [n, all, ...item] : [n, ...item],
      ),
      ...(usesAugmented && { augmented: tf.slice(predicted, count, n) as tf.Tensor4D }),
      target,
      anchors: own,
    }),
    splitGradient: (gradient) =>
      usesAugmented
        ? { conditions: tf.slice(gradient, 0, all), augmentedConditions: tf.slice(gradient, all, all) }
        : { conditions: gradient },
  };
}

const range = (n: number, value: (i: number) => number) => Int32Array.from({ length: n }, (_, i) => value(i));
