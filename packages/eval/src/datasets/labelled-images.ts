import type { ImageDataset } from "@dcr-js/data";
import { describe } from "../shared/check-options.js";

/** Images with a class each. */
export interface LabelledImages {
  /** For `encodeImages`; each image has a label, one of the classes. */
  dataset: ImageDataset;
  /** The names of the classes, in the data set's order. */
  classes: string[];
}

/**
 * The number of each label.
 *
 * @throws on a label that is no class
 */
export function classNumbers(
  labels: readonly (string | undefined)[],
  classes: readonly string[],
): Int32Array {
  for (const [name, list] of Object.entries({ labels, classes })) {
    if (!Array.isArray(list))
      throw new TypeError(`classNumbers: ${name} must be a list, got ${describe(list)}`);
  }
  const place = new Map(classes.map((name, i) => [name, i]));
  return Int32Array.from(labels, (label, i) => {
    const number = label === undefined ? undefined : place.get(label);
    if (number === undefined) throw new Error(`classNumbers: labels[${i}] is no class: ${describe(label)}`);
    return number;
  });
}
