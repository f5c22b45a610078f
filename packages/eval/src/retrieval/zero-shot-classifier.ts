import * as tf from "@tensorflow/tfjs-core";
import { type Features, openFeatures } from "../features/open-features.js";
import { unitRows } from "../features/unit-rows.js";
import { checkOptions, describe } from "../shared/check-options.js";

/** Features of texts, `[n, dim]`. A tensor that it returns is disposed by its caller. */
export type EncodeText = (texts: string[]) => Features | Promise<Features>;

export interface ZeroShotOptions {
  /** Names of the classes, as texts have them. */
  classNames: readonly string[];
  /** Texts with `{}` in the class's place, such as `zeroShotTemplates.imagenet`. Default `["a photo of a {}."]`. */
  templates?: readonly string[];
}

/**
 * The text features of classes (Radford et al. 2021, section 3.1.4): every template's features are normalised, then averaged, and
 * the mean is normalised.
 *
 * @returns `[classes, dim]`; the caller disposes it
 *
 * @example
 * const classTexts = await zeroShotClassifier(encodeText, { classNames, templates: zeroShotTemplates.cifar10 });
 * const { top1, top5 } = await zeroShotScores(images, classTexts, labels);
 */
export async function zeroShotClassifier(
  encodeText: EncodeText,
  options: ZeroShotOptions,
): Promise<tf.Tensor2D> {
  const { classNames, templates = ["a photo of a {}."] } = checkOptions("zeroShotClassifier", options, {
    classNames: true,
    templates: true,
  });
  if (typeof encodeText !== "function") {
    throw new TypeError(`zeroShotClassifier: encodeText must be a function, got ${describe(encodeText)}`);
  }
  checkTexts("zeroShotClassifier: classNames", classNames);
  checkTexts("zeroShotClassifier: templates", templates);
  const without = templates.find((template) => template.split("{}").length !== 2);
  if (without !== undefined) {
    throw new Error(`zeroShotClassifier: templates must have one {} each, got ${describe(without)}`);
  }
  const rows: tf.Tensor[] = [];
  try {
    for (const name of classNames) {
      const given = await encodeText(templates.map((template) => template.split("{}").join(name)));
      const features = await openGiven(given);
      if (features.shape[0] !== templates.length) {
        const got = features.shape;
        features.dispose();
        throw new Error(
          `zeroShotClassifier: encodeText must return ${templates.length} rows, one for each text, got [${got}]`,
        );
      }
      rows.push(tf.tidy(() => unitRows(tf.mean(unitRows(features), 0, true) as tf.Tensor2D)));
      features.dispose();
    }
    return tf.tidy(() => tf.concat(rows)) as tf.Tensor2D;
  } finally {
    tf.dispose(rows);
  }
}

/** Opens what encodeText returned, and disposes it where it is a tensor. */
async function openGiven(given: Features): Promise<tf.Tensor2D> {
  try {
    return await openFeatures("zeroShotClassifier: encodeText's features", given);
  } finally {
    if (given instanceof tf.Tensor) given.dispose();
  }
}

function checkTexts(name: string, texts: readonly string[]): void {
  if (!Array.isArray(texts) || texts.length === 0) {
    throw new TypeError(`${name} must be a list of at least one text, got ${describe(texts)}`);
  }
  const bad = texts.findIndex((text) => typeof text !== "string" || text.trim() === "");
  if (bad >= 0) throw new TypeError(`${name}[${bad}] must be a text, got ${describe(texts[bad])}`);
}
