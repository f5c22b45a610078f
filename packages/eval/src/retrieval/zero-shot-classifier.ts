import * as tf from "@tensorflow/tfjs-core";
import { checkTexts, type EncodeText, encodeBatch } from "../features/encode-texts.js";
import { unitRows } from "../features/unit-rows.js";
import { checkOptions, describe } from "../shared/check-options.js";

export interface ZeroShotOptions {
  /** Names of the classes, as texts have them; all different. */
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
  checkTexts("zeroShotClassifier: classNames", classNames);
  checkTexts("zeroShotClassifier: templates", templates);
  const places = new Map<string, number>();
  for (const [i, name] of classNames.entries()) {
    const first = places.get(name);
    if (first !== undefined) {
      throw new Error(
        `zeroShotClassifier: classNames[${i}] must differ from classNames[${first}], since equal texts tie, got ${describe(name)} twice`,
      );
    }
    places.set(name, i);
  }
  const without = templates.find((template) => template.split("{}").length !== 2);
  if (without !== undefined) {
    throw new Error(`zeroShotClassifier: templates must have one {} each, got ${describe(without)}`);
  }
  const rows: tf.Tensor[] = [];
  try {
    for (const name of classNames) {
      const texts = templates.map((template) => template.split("{}").join(name));
      const features = await encodeBatch("zeroShotClassifier", texts, encodeText);
      rows.push(tf.tidy(() => unitRows(tf.mean(unitRows(features), 0, true) as tf.Tensor2D)));
      features.dispose();
    }
    return tf.tidy(() => tf.concat(rows)) as tf.Tensor2D;
  } finally {
    tf.dispose(rows);
  }
}
