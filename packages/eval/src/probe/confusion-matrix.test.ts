import { expect, it } from "vitest";
import { confusionMatrix } from "./confusion-matrix.js";

it("is scikit-learn's", () => {
  // From the documentation of sklearn.metrics.confusion_matrix.
  const { classes, counts, accuracy, meanPerClass } = confusionMatrix(
    ["cat", "ant", "cat", "cat", "ant", "bird"],
    ["ant", "ant", "cat", "cat", "ant", "cat"],
  );
  expect(classes).toEqual(["ant", "bird", "cat"]);
  expect(counts).toEqual([
    [2, 0, 0],
    [0, 0, 1],
    [1, 0, 2],
  ]);
  expect(accuracy).toBeCloseTo(4 / 6, 12);
  expect(meanPerClass).toBeCloseTo((1 + 0 + 2 / 3) / 3, 12);
});

it("leaves a class that is only predicted out of the mean, and refuses lists of two lengths", () => {
  expect(confusionMatrix([1, 1], [1, 2]).meanPerClass).toBe(0.5);
  expect(() => confusionMatrix([], [])).toThrow(/labels must hold at least one label/);
  expect(() => confusionMatrix([1, 2], ["1", "2"])).toThrow(
    'confusionMatrix: labels and predictions must be of one kind, got 1 and "1"',
  );
  expect(() => confusionMatrix([1, "1"], [1, 2])).toThrow(
    'confusionMatrix: labels must be all integers or all strings, got 1 and "1"',
  );
  expect(() => confusionMatrix([1], [1, 2])).toThrow(/predictions must hold 1 labels.*got 2/);
});
