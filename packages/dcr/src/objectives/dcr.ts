import * as tf from "@tensorflow/tfjs-core";
import { backpropagateInChunks, chunkedGradient, predictInChunks } from "../predictions/chunked-gradient.js";
import { checkFloat } from "../shared/check-float.js";
import { checkChoice, checkOptions } from "../shared/check-options.js";
import { checkPositives, type DCRPositive, type DCRTermsOptions, mask } from "./dcr-inputs.js";
import { type DCRGradients, dcrLossGradients } from "./dcr-loss-gradients.js";
import type { Objective, ObjectiveInput, ObjectiveTerm } from "./objective.js";
import { type AskedPredictions, askPredictions } from "./prediction-objective.js";

/** Through which predictions the gradient flows; the others are constants (a stop-gradient). */
export type DCRGradientFlow = "all" | "anchor" | "anchor-and-positive";

export interface DCRObjectiveOptions extends Omit<DCRTermsOptions, "temperature"> {
  /**
   * A number greater than 0, or `"auto"`: measured, see {@link dcrObjective}. Default 0.1, the paper's.
   */
  temperature?: number | "auto";
  /**
   * Through which predictions the gradient flows: all, as in the paper (`N^2 + N` backward passes of the denoiser), the
   * anchors only (`N`), or the anchors and the augmented views (`2N`). Default `"all"`.
   */
  gradient?: DCRGradientFlow;
}

const termNames = { augmented: "dcrAugmented", target: "dcrTarget" };

/**
 * The DCR objective (Han et al. 2026, eq. 6). Its two losses, `dcrAugmented` and `dcrTarget`, are apart by positive; their mean
 * is the DCR loss. A step also reports the mean similarities `s(a, A+)`, `s(a, G)` and `s(a, P[i, k])`, `k != i`, with their spreads.
 *
 * Temperature `"auto"` makes the similarities over it vary by 1, whatever the denoiser, as logit standardisation does (Sun et al.
 * 2024): it is the standard deviation of an anchor's similarities over its candidates `C_i`, averaged over the anchors and over the
 * first ten steps; while those are taken, over the steps so far. It is a constant in the gradient, and from then on in
 * the run, so that the repulsion ends where the predictions have come apart by a few of the spreads that they began with. A step
 * reports it as `temperature`. It needs a single process.
 *
 * All `N^2 + N` predictions are made without a graph; then, from the loss's gradient at the predictions, the denoiser runs
 * again in chunks. The two losses share everything but `s(a, A+)` and `s(a, G)`, so where they are needed apart, their gradients
 * are the whole gradient plus and minus half of that difference's, which passes through the 2N predictions of anchors and
 * augmented views only.
 */
export function dcrObjective(options?: DCRObjectiveOptions): Objective {
  const names = { temperature: true, positives: true, gradient: true } as const;
  const {
    temperature = 0.1,
    positives = ["augmented", "target"],
    gradient: flow = "all",
  } = checkOptions("dcrObjective", options, names);
  if (temperature !== "auto") {
    if (typeof temperature === "string") checkChoice("dcrObjective: temperature", temperature, ["auto"]);
    checkFloat("dcrObjective: temperature", temperature, { above: 0 });
  }
  checkPositives("dcrObjective: positives", positives, ["augmented", "target"]);
  checkChoice("dcrObjective: gradient", flow, ["all", "anchor", "anchor-and-positive"]);
  const usesAugmented = positives.includes("augmented");
  return {
    name: "dcr",
    usesAugmented,
    usesPredictions: true,
    terms: (input) => terms(input, { temperature, positives, flow, usesAugmented }),
    ...(temperature === "auto" && { remember: rememberSpread }),
  };
}

/** The steps that temperature `"auto"` is measured in. */
const measuredSteps = 10;

/** A floor for predictions that do not differ at all. */
const leastTemperature = 1e-6;

/** How many steps were measured, and the sum of their spreads. */
function rememberSpread(
  metrics: Readonly<Record<string, number>>,
  [steps = 0, sum = 0]: readonly number[] = [],
): number[] {
  if (steps === measuredSteps) return [steps, sum];
  return [steps + 1, sum + metrics["similarity/candidatesSpread"]];
}

/** The mean spread of the steps that were measured, with this batch's while there are fewer than ten. */
function measuredTemperature(spread: tf.Scalar, [steps = 0, sum = 0]: readonly number[] = []): tf.Scalar {
  const mean = steps === measuredSteps ? tf.scalar(sum / steps) : tf.div(tf.add(spread, sum), steps + 1);
  return tf.maximum(mean, leastTemperature) as tf.Scalar;
}

interface Settings {
  temperature: number | "auto";
  positives: readonly DCRPositive[];
  flow: DCRGradientFlow;
  usesAugmented: boolean;
}

function terms(input: ObjectiveInput, settings: Settings): ObjectiveTerm[] {
  const { positives, flow, usesAugmented } = settings;
  const { predictor, processes } = input;
  if (settings.temperature === "auto" && processes > 1) {
    throw new Error(
      `objective dcr: temperature "auto" is measured in a single process, got ${processes}; give a number`,
    );
  }
  const asked = askPredictions(predictor!, { pairs: "all", usesAugmented });
  const { anchors, augmented } = asked.rows;
  const flowing = flow === "anchor" ? anchors : Int32Array.from([...anchors, ...augmented]);
  const kept: { measured?: Measured } = {};
  /** The loss's value and gradient. All else outlives the tidy that frees the predictions, until this function returns. */
  const lossGradient = (predicted: tf.Tensor) => {
    const { value, gradient, ...measured } = measure(predicted, { input, settings, asked, flowing });
    for (const tensor of tensorsOf(measured)) tf.keep(tensor);
    kept.measured = measured;
    return { value, gradient };
  };
  try {
    const { value, conditionGradient } =
      flow === "all"
        ? chunkedGradient(asked.made, lossGradient)
        : gradientAlong(asked.made, flowing, lossGradient);
    const measured = kept.measured!;
    const parts = positives.map((positive, i) => ({
      name: termNames[positive],
      weight: 1 / positives.length,
      value: tf.clone(measured.values[i]),
    }));
    const metrics = Object.fromEntries(
      Object.entries(measured.metrics).map(([name, metric]) => [name, tf.clone(metric)]),
    );
    if (!measured.difference) {
      const gradient = asked.splitGradient(conditionGradient);
      return [{ name: "dcr", weight: 1, value, parts, metrics, ...gradient }];
    }
    const own = backpropagateInChunks(asked.made, measured.difference, flowing);
    const gradients = [tf.add(conditionGradient, own), tf.sub(conditionGradient, own)];
    return parts.map((part, i) => ({
      ...part,
      ...asked.splitGradient(gradients[i]),
      ...(i === 0 && { metrics }),
    }));
  } finally {
    if (kept.measured) tf.dispose(tensorsOf(kept.measured));
  }
}

/** The measures of the predictions that a step reports. */
interface Measured {
  /** The loss of each positive. */
  values: tf.Scalar[];
  metrics: Record<string, tf.Scalar>;
  /** By how much the first positive's gradient differs from the whole one, at the predictions that the gradient flows through; where losses are wanted apart. */
  difference?: tf.Tensor;
}

const tensorsOf = ({ values, metrics, difference }: Measured): tf.Tensor[] => [
  ...values,
  ...Object.values(metrics),
  ...(difference ? [difference] : []),
];

const pick = (x: tf.Tensor, rows: Int32Array): tf.Tensor => tf.gather(x, tf.tensor1d(rows, "int32"));

/** The loss at all predictions, its gradient there, and the measures that a step reports. */
function measure(
  predicted: tf.Tensor,
  {
    input: { processes, apart, memory },
    settings,
    asked,
    flowing,
  }: { input: ObjectiveInput; settings: Settings; asked: AskedPredictions; flowing: Int32Array },
): Measured & { value: tf.Scalar; gradient: tf.Tensor } {
  const { positives } = settings;
  const given = asked.split(predicted);
  // Similarities do not depend on the temperature.
  const { similarities } = dcrLossGradients(given, { positives });
  const metrics = similarityMetrics(similarities, given.anchors, processes);
  const isMeasured = settings.temperature === "auto";
  const temperature = isMeasured
    ? measuredTemperature(metrics["similarity/candidatesSpread"], memory)
    : (settings.temperature as number);
  const lossOf = (towards: readonly DCRPositive[]) => {
    const { value, predictions, augmented } = dcrLossGradients(given, { temperature, positives, towards });
    const flat = tf.reshape(predictions, [-1, ...predictions.shape.slice(2)]);
    return {
      value: tf.div(value, processes) as tf.Scalar,
      gradient: tf.div(augmented ? tf.concat([flat, augmented]) : flat, processes),
    };
  };
  const all = lossOf(positives);
  const own = positives.map((positive) => lossOf([positive]));
  return {
    ...all,
    values: own.map(({ value }) => value),
    metrics: isMeasured ? { ...metrics, temperature: temperature as tf.Scalar } : metrics,
    ...(apart && own.length === 2 && { difference: pick(tf.sub(own[0].gradient, all.gradient), flowing) }),
  };
}

/** The gradient through the predictions of some rows only; the others are constants. */
function gradientAlong(
  made: AskedPredictions["made"],
  flowing: Int32Array,
  lossGradient: (predicted: tf.Tensor) => { value: tf.Scalar; gradient: tf.Tensor },
): { value: tf.Scalar; conditionGradient: tf.Tensor } {
  return tf.tidy(() => {
    // The predictions are freed before the denoiser runs again.
    const { value, gradient } = tf.tidy(() => {
      const all = lossGradient(predictInChunks(made));
      return { value: all.value, gradient: pick(all.gradient, flowing) };
    });
    return { value, conditionGradient: backpropagateInChunks(made, gradient, flowing) };
  });
}

/**
 * The mean similarities of an anchor, and how far they lie from their mean: those with the negatives and with all candidates
 * within an anchor, those with a positive, of which an anchor has one, among the anchors of a process's batch. Each figure is a mean
 * over batches and processes.
 */
export function similarityMetrics(
  { predictions, augmented, target }: DCRGradients["similarities"],
  anchors: Int32Array,
  among: number,
): Record<string, tf.Scalar> {
  const all = predictions.shape[1];
  const isNegative = tf.cast(
    mask(anchors.length, all, (i, k) => k !== anchors[i]),
    "float32",
  );
  const perAnchor = (x: tf.Tensor) => tf.div(tf.sum(tf.mul(x, isNegative), 1, true), all - 1);
  const mean = perAnchor(predictions);
  const spread = tf.sqrt(perAnchor(tf.square(tf.sub(predictions, mean))));
  const share = (x: tf.Tensor) => tf.div(tf.mean(x), among) as tf.Scalar;
  const amongAnchors = (x: tf.Tensor) => share(tf.sqrt(tf.mean(tf.squaredDifference(x, tf.mean(x)))));
  const positives = [augmented, target].filter((x) => x !== undefined);
  return {
    ...(augmented && {
      "similarity/augmented": share(augmented),
      "similarity/augmentedSpread": amongAnchors(augmented),
    }),
    ...(target && {
      "similarity/target": share(target),
      "similarity/targetSpread": amongAnchors(target),
    }),
    "similarity/negatives": share(mean),
    "similarity/negativesSpread": share(spread),
    "similarity/candidatesSpread": share(candidatesSpread(predictions, isNegative, positives)),
  };
}

/** Standard deviation over each anchor's candidates, `[n, 1]`: the negatives of its row, and its positives. */
function candidatesSpread(
  predictions: tf.Tensor2D,
  isNegative: tf.Tensor,
  positives: readonly tf.Tensor1D[],
): tf.Tensor {
  const columns = positives.map((positive) => tf.expandDims(positive, 1));
  const count = predictions.shape[1] - 1 + positives.length;
  const meanOf = (negatives: tf.Tensor, own: readonly tf.Tensor[]) => {
    const sums = [tf.sum(tf.mul(negatives, isNegative), 1, true), ...own];
    return tf.div(tf.addN(sums), count);
  };
  const mean = meanOf(predictions, columns);
  const squares = (x: tf.Tensor) => tf.squaredDifference(x, mean);
  return tf.sqrt(meanOf(squares(predictions), columns.map(squares)));
}
