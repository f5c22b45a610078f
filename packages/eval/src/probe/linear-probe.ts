import * as tf from "@tensorflow/tfjs-core";
import { checkLabels, checkOneKind, type Labels } from "../features/check-labels.js";
import { type Features, openSameWidth } from "../features/open-features.js";
import { checkOptions, describe } from "../shared/check-options.js";
import { confusionMatrix } from "./confusion-matrix.js";
import { checkFitOptions, fit, type LinearClassifier, predict } from "./logistic-regression.js";

/** Features with their labels. */
export interface LabelledFeatures {
  features: Features;
  labels: Labels;
}

export interface LinearProbeOptions {
  /** Rows that the classifier is fitted to. */
  train: LabelledFeatures;
  /** Chooses C; then the classifier is fitted to the training and the validation rows. Without it `C` is needed. */
  validation?: LabelledFeatures;
  /** Rows that the classifier is tested on. */
  test: LabelledFeatures;
  /** Skips the sweep; not with `validation`. */
  C?: number;
  /** Steps of L-BFGS at most. Default 1000, CLIP's. */
  maxIterations?: number;
  /** See {@link logisticRegression}. Default 1e-5. */
  tolerance?: number;
}

export interface LinearProbeScores {
  /** Share of the test rows that are classified right. */
  accuracy: number;
  /** Mean over the test labels of their accuracy. */
  meanPerClass: number;
  predictions: (number | string)[];
  classifier: LinearClassifier;
  /** Accuracy on the validation rows for each C that was tried, by rising C. */
  sweep: { C: number; accuracy: number }[];
}

/**
 * Linear probe in CLIP's protocol (Radford et al. 2021, appendix A.3): logistic regression on features as they are, C chosen on the
 * validation rows by a search over 1e-6 to 1e6 that halves its interval around the best down to 8 steps a decade.
 *
 * @throws where neither `validation` nor `C` is given, or both
 *
 * @example
 * const { accuracy, classifier } = await linearProbe({ train, validation, test });
 */
export async function linearProbe(options: LinearProbeOptions): Promise<LinearProbeScores> {
  const { train, validation, test, ...settings } = checkOptions("linearProbe", options, {
    train: true,
    validation: true,
    test: true,
    C: true,
    maxIterations: true,
    tolerance: true,
  });
  const checked = checkFitOptions("linearProbe", settings);
  if ((validation === undefined) === (settings.C === undefined)) {
    const got = validation === undefined ? "neither" : "both";
    throw new Error(`linearProbe: expected either validation, to choose C, or C, got ${got}`);
  }
  const parts = { train, test, ...(validation !== undefined && { validation }) };
  for (const [name, part] of Object.entries(parts)) {
    if (typeof part !== "object" || part === null) {
      throw new TypeError(`linearProbe: ${name} must be { features, labels }, got ${describe(part)}`);
    }
    checkOptions(`linearProbe: ${name}`, part, { features: true, labels: true });
  }
  const opened: { train: tf.Tensor2D; test: tf.Tensor2D; validation?: tf.Tensor2D } = await openSameWidth(
    "linearProbe",
    Object.fromEntries(Object.entries(parts).map(([name, { features }]) => [name, features])) as {
      train: Features;
      test: Features;
    },
  );
  const own: tf.Tensor[] = Object.values(opened);
  try {
    for (const [name, { labels }] of Object.entries(parts)) {
      checkLabels(`linearProbe: ${name}.labels`, labels, opened[name as keyof typeof parts]!.shape[0]);
      checkOneKind("linearProbe", ["train.labels", train.labels], [`${name}.labels`, labels]);
    }
    const sweep: LinearProbeScores["sweep"] = [];
    let { C } = checked;
    let rows = opened.train;
    let labels = train.labels;
    if (validation && opened.validation) {
      const against = opened.validation;
      C = await searchC(async (c) => {
        const classifier = await fit("linearProbe", opened.train, train.labels, { ...checked, C: c });
        const { labels: found } = await predict("linearProbe", classifier, against);
        const accuracy = shareOfEqual(found, validation.labels);
        sweep.push({ C: c, accuracy });
        return accuracy;
      });
      rows = tf.concat([opened.train, against]);
      own.push(rows);
      labels = [...Array.from(train.labels), ...Array.from(validation.labels)];
    }
    const classifier = await fit("linearProbe", rows, labels, { ...checked, C });
    const { labels: predictions } = await predict("linearProbe", classifier, opened.test);
    return {
      accuracy: shareOfEqual(predictions, test.labels),
      meanPerClass: confusionMatrix(test.labels, predictions).meanPerClass,
      predictions,
      classifier,
      sweep: sweep.sort((a, b) => a.C - b.C),
    };
  } finally {
    tf.dispose(own);
  }
}

/** CLIP's search: every second decade first, then halves of the interval around the best; of equally good ones the smaller C. */
async function searchC(accuracyOf: (C: number) => Promise<number>): Promise<number> {
  // In eighths of a decade, so that no power is tried twice.
  const tried = new Map<number, number>();
  const tryOut = async (eighths: number) => {
    if (Math.abs(eighths) <= 48 && !tried.has(eighths))
      tried.set(eighths, await accuracyOf(10 ** (eighths / 8)));
  };
  const best = () => [...tried].reduce((a, b) => (b[1] > a[1] || (b[1] === a[1] && b[0] < a[0]) ? b : a))[0];
  for (let eighths = -48; eighths <= 48; eighths += 16) await tryOut(eighths);
  for (let step = 8; step >= 1; step /= 2) {
    const center = best();
    await tryOut(center - step);
    await tryOut(center + step);
  }
  return 10 ** (best() / 8);
}

function shareOfEqual(found: readonly (number | string)[], labels: Labels): number {
  return found.filter((label, i) => label === labels[i]).length / found.length;
}
