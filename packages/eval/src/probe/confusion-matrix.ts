import { checkLabels, checkOneKind, type Labels } from "../features/check-labels.js";
import { describe } from "../shared/check-options.js";

export interface ConfusionMatrix {
  /** The labels and the predictions, sorted. */
  classes: (number | string)[];
  /** `counts[i][j]`: rows of class i that were taken for class j. */
  counts: number[][];
  /** Share of rows on the diagonal. */
  accuracy: number;
  /** Mean over the labels that occur of their accuracy (scikit-learn's balanced accuracy). */
  meanPerClass: number;
}

/** Counts rows by label and prediction, as scikit-learn's `confusion_matrix`. @throws unless both lists have one length above 0 */
export function confusionMatrix(labels: Labels, predictions: Labels): ConfusionMatrix {
  if (!(labels?.length > 0))
    throw new Error(`confusionMatrix: labels must hold at least one label, got ${describe(labels)}`);
  checkLabels("confusionMatrix: labels", labels, labels.length);
  checkLabels("confusionMatrix: predictions", predictions, labels.length);
  checkOneKind("confusionMatrix", ["labels", labels], ["predictions", predictions]);
  const found = [...new Set([...Array.from(labels), ...Array.from(predictions)])];
  const classes = found.sort((a, b) => (a < b ? -1 : 1));
  const place = new Map(classes.map((name, i) => [name, i]));
  const counts = classes.map(() => new Array<number>(classes.length).fill(0));
  for (let i = 0; i < labels.length; i++) counts[place.get(labels[i])!][place.get(predictions[i])!]++;
  const sums = counts.map((row) => row.reduce((a, b) => a + b, 0));
  const known = [...sums.keys()].filter((i) => sums[i] > 0);
  return {
    classes,
    counts,
    accuracy: counts.reduce((sum, row, i) => sum + row[i], 0) / labels.length,
    meanPerClass: known.reduce((sum, i) => sum + counts[i][i] / sums[i], 0) / known.length,
  };
}
