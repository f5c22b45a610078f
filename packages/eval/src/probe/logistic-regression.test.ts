import "@tensorflow/tfjs-backend-cpu";
import {
  expectClose,
  expectCloseNorm,
  expectNoLeaks,
  normalArray,
  recordParity,
  relativeError,
} from "@dcr-js/testing";
import { expect, it } from "vitest";
import { golden } from "../../test/golden.js";
import { classify, logisticRegression } from "./logistic-regression.js";

const { features, queries } = golden.knn;

it.each(golden.probes)("is scikit-learn's optimum: $classes classes, C = $C", async (probe) => {
  const { C, classes, labels } = probe;
  await expectNoLeaks(async () => {
    const classifier = await logisticRegression(features, labels, { C, tolerance: 1e-6 });
    expect(classifier.converged).toBe(true);
    const { data, shape } = classifier.weights;
    // scikit-learn's are [classes, dim]; for two classes one row, of which the fixture has minus and plus a half.
    const expected = Array.from({ length: shape[0] }, (_, j) =>
      Array.from({ length: shape[1] }, (_, c) =>
        classes === 2 ? 2 * probe.weights[1][j] : probe.weights[c][j],
      ),
    ).flat();
    recordParity({ name: "logisticRegression", peer: "scikit-learn", value: relativeError(data, expected) });
    expectCloseNorm(data, expected, { relative: 1e-3 });
    const { probabilities } = await classify(classifier, features);
    expectClose(
      probabilities.flatMap((row) => [...row]),
      probe.probabilities.flat(),
      { absolute: 1e-4 },
    );
    const found = await classify(classifier, queries);
    expect(found.labels).toEqual(probe.queries);
  });
});

it("stops after maxIterations and says so", async () => {
  const { labels } = golden.probes[3];
  const short = await logisticRegression(features, labels, { maxIterations: 2 });
  expect(short.iterations).toBe(2);
  expect(short.converged).toBe(false);
});

it("has the labels as they came, sorted", async () => {
  const classifier = await logisticRegression([[0], [1], [2], [3]], ["low", "low", "high", "high"], {
    C: 100,
  });
  expect(classifier.classes).toEqual(["high", "low"]);
  expect((await classify(classifier, [[-1], [4]])).labels).toEqual(["low", "high"]);
});

it("has the optimum of large features, where the first step along the gradient would be far too long", async () => {
  const labels = Array.from({ length: 40 }, (_, i) => i % 3);
  const rows = labels.map((label, i) => Array.from(normalArray(i, 3), (x, j) => x + Number(j === label)));
  const at = async (unit: number, C: number) => {
    const scaled = rows.map((row) => row.map((x) => x * unit));
    const { weights, converged } = await logisticRegression(scaled, labels, { C });
    expect(converged).toBe(true);
    return weights.data.map((weight) => weight * unit);
  };
  const expected = await at(1, 1);
  expect(Math.max(...expected)).toBeGreaterThan(0.1);
  // Weights of x * unit are those of x over the unit, where the penalty of both is the same.
  for (const unit of [2 ** 11, 2 ** 20, 2 ** 60, 2 ** -14, 2 ** -20, 2 ** -60]) {
    expectClose(await at(unit, unit ** -2), expected, { absolute: 2e-4 });
  }
});

it("refuses what has no classifier", async () => {
  await expectNoLeaks(async () => {
    const refuse = (labels: number[], options: object, message: RegExp) =>
      expect(logisticRegression([[0], [1]], labels, options)).rejects.toThrow(message);
    await refuse([1, 1], {}, /logisticRegression: labels must hold at least two classes, got 1/);
    await refuse([1], {}, /labels must hold 2 labels, one for each row, got 1/);
    await refuse([0, 1], { C: 0 }, /logisticRegression: C must be a finite number, greater than 0, got 0/);
    await refuse([0, 1], { maxIterations: 0 }, /maxIterations must be an integer, at least 1, got 0/);
    await refuse([0, 1], { tolerance: 0 }, /tolerance must be/);
    await refuse([0, 1], { l2: 1 }, /unknown option "l2"/);
    const classifier = await logisticRegression([[0], [1]], [0, 1]);
    await expect(classify(classifier, [[1, 2]])).rejects.toThrow(
      /classify: features must be \[n, 1\], .*got \[1,2\]/,
    );
  });
});

it("classifies with a classifier from JSON, and refuses one whose parts do not fit", async () => {
  const rows = [
    [0, 0],
    [0, 3],
    [3, 0],
  ];
  const fitted = await logisticRegression(rows, ["a", "b", "c"], { C: 100 });
  const { weights, bias } = fitted;
  const saved = JSON.parse(
    JSON.stringify({
      ...fitted,
      weights: { ...weights, data: Array.from(weights.data) },
      bias: Array.from(bias),
    }),
  );
  await expectNoLeaks(async () => {
    expect((await classify(saved, rows)).labels).toEqual(["a", "b", "c"]);
    for (const [change, message] of [
      [{ bias: Float32Array.of(1) }, "classifier.bias must hold 3 numbers, got 1"],
      [JSON.parse(JSON.stringify({ bias })), "classifier.bias must hold 3 numbers, got a Object"],
      [{ bias: [0, null, 0] }, "classifier.bias[1] must be a finite number, at least"],
      [{ bias: undefined }, "classifier must be one of logisticRegression, got a Object"],
      [
        { weights: { ...saved.weights, shape: [2, 1] } },
        "classifier.weights.shape must be [dim, 3] for 3 classes, got [2,1]",
      ],
      [
        { weights: { ...saved.weights, shape: "2,3" } },
        'classifier.weights.shape must be [dim, 3] for 3 classes, got "2,3"',
      ],
      [{ weights: { shape: [2, 3], data: [1] } }, "classifier.weights.data must hold 6 numbers, got 1"],
      [{ classes: ["a"] }, "classifier must be one of logisticRegression"],
      [{ classes: ["a", 0.5, "c"] }, "classifier.classes[1] must be an integer or a string, got 0.5"],
      [{ weights: { shape: [2, 3], data: new Array(6).fill(3e38) } }, "the logits of row 1 are not finite"],
    ] as const) {
      await expect(classify({ ...saved, ...change }, rows), message).rejects.toThrow(`classify: ${message}`);
    }
    await expect(classify(undefined as never, rows)).rejects.toThrow("classifier must be one of");
  });
});
