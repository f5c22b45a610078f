import * as tf from "@tensorflow/tfjs-core";
import { backpropagateInChunks, chunkedGradient, predictInChunks } from "../predictions/chunked-gradient.js";
import { checkChoice, checkNumber, checkOptions } from "../shared/check-options.js";
import { checkPositives, type DCRPositive, type DCRTermsOptions, mask } from "./dcr-loss.js";
import { type DCRGradients, dcrLossGradients } from "./dcr-loss-gradients.js";
import type { Objective, ObjectiveInput, ObjectiveTerm } from "./objective.js";
import { askPredictions } from "./prediction-objective.js";

/** Through which predictions the gradient flows; the others are constants (a stop-gradient). */
export type DCRGradientFlow = "all" | "anchor" | "anchor-and-positive";

export interface DCRObjectiveOptions extends DCRTermsOptions {
  /**
   * Through which predictions the gradient flows: all, as in the paper (`N^2 + N` backward passes of the denoiser), the
   * anchors alone (`N`), or the anchors and the augmented views (`2N`). Default `"all"`.
   */
  gradient?: DCRGradientFlow;
}

const termNames = { augmented: "dcrAugmented", target: "dcrTarget" };

/**
 * The DCR objective (Han et al. 2026, eq. 6). Its two losses, `dcrAugmented` and `dcrTarget`, are apart by positive; their mean
 * is the DCR loss. A step also reports the mean similarities `s(a, A+)`, `s(a, G)` and `s(a, P[i, k])`, `k != i`.
 *
 * All `N^2 + N` predictions are made without a graph; then, from the loss's gradient at the predictions, the denoiser runs
 * again in chunks. The two losses share everything but `s(a, A+)` and `s(a, G)`, so where they are needed apart, their gradients
 * are the whole gradient plus and minus half of that difference's, which passes through the 2N predictions of anchors and
 * augmented views alone.
 */
export function dcrObjective(options?: DCRObjectiveOptions): Objective {
  const names = { temperature: true, positives: true, gradient: true } as const;
  const {
    temperature = 0.1,
    positives = ["augmented", "target"],
    gradient: flow = "all",
  } = checkOptions("dcrObjective", options, names);
  checkNumber("dcrObjective: temperature", temperature, { above: 0 });
  checkPositives("dcrObjective: positives", positives, ["augmented", "target"]);
  checkChoice("dcrObjective: gradient", flow, ["all", "anchor", "anchor-and-positive"]);
  const usesAugmented = positives.includes("augmented");
  return {
    name: "dcr",
    usesAugmented,
    usesPredictions: true,
    terms: (input) => terms(input, { temperature, positives, flow, usesAugmented }),
  };
}

interface Settings {
  temperature: number;
  positives: readonly DCRPositive[];
  flow: DCRGradientFlow;
  usesAugmented: boolean;
}

function terms(input: ObjectiveInput, settings: Settings): ObjectiveTerm[] {
  const { temperature, positives, flow, usesAugmented } = settings;
  const { predictor, processes, apart: wantedApart } = input;
  const asked = askPredictions(predictor!, { pairs: "all", usesAugmented });
  const lossGradients = (predicted: tf.Tensor, towards: readonly DCRPositive[]) => {
    const whole = dcrLossGradients(asked.split(predicted), { temperature, positives, towards });
    const { predictions, augmented: views } = whole;
    const flat = tf.reshape(predictions, [-1, ...predictions.shape.slice(2)]);
    const gradient = tf.div(views ? tf.concat([flat, views]) : flat, processes);
    return { ...whole, value: tf.div(whole.value, processes) as tf.Scalar, gradient };
  };

  const flowing =
    flow === "anchor"
      ? asked.rows.anchors
      : Int32Array.from([...asked.rows.anchors, ...asked.rows.augmented]);
  const pick = (x: tf.Tensor, rows: Int32Array) => tf.gather(x, tf.tensor1d(rows, "int32"));
  // Made while all predictions are there, and kept beyond the tidy that frees those.
  let values: tf.Scalar[] = [];
  let metrics: Record<string, tf.Scalar> = {};
  let difference = undefined as tf.Tensor | undefined;
  const measure = (predicted: tf.Tensor) => {
    const all = lossGradients(predicted, positives);
    metrics = similarityMetrics(all.similarities, asked.split(predicted).anchors, processes);
    for (const metric of Object.values(metrics)) tf.keep(metric);
    const own = positives.map((positive) => lossGradients(predicted, [positive]));
    values = own.map(({ value }) => tf.keep(value));
    if (wantedApart && own.length === 2) {
      difference = tf.keep(pick(tf.sub(own[0].gradient, all.gradient), flowing));
    }
    return all;
  };

  const whole =
    flow === "all"
      ? chunkedGradient(asked.made, measure)
      : tf.tidy(() => {
          const { value, gradient } = tf.tidy(() => {
            const all = measure(predictInChunks(asked.made));
            return { value: all.value, gradient: pick(all.gradient, flowing) };
          });
          return { value, conditionGradient: backpropagateInChunks(asked.made, gradient, flowing) };
        });

  const parts = positives.map((positive, i) => ({
    name: termNames[positive],
    weight: 1 / positives.length,
    value: values[i],
  }));
  if (!difference) {
    const gradient = asked.splitGradient(whole.conditionGradient);
    return [{ name: "dcr", weight: 1, value: whole.value, parts, metrics, ...gradient }];
  }
  const own = backpropagateInChunks(asked.made, difference, flowing);
  difference.dispose();
  const gradients = [tf.add(whole.conditionGradient, own), tf.sub(whole.conditionGradient, own)];
  return parts.map((part, i) => ({
    ...part,
    ...asked.splitGradient(gradients[i]),
    ...(i === 0 && { metrics }),
  }));
}

/** The mean similarities of an anchor, and how far those with the negatives lie from their mean. */
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
  return {
    ...(augmented && { "similarity/augmented": share(augmented) }),
    ...(target && { "similarity/target": share(target) }),
    "similarity/negatives": share(mean),
    "similarity/negativesSpread": share(spread),
  };
}
