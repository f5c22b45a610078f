import "@tensorflow/tfjs-backend-cpu";
import { expectNoLeaks, recordParity } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { golden } from "../../test/golden.js";
import { nearestNeighbourAccuracy } from "./nearest-neighbour-accuracy.js";

const { features, labels, queries, queryLabels } = golden.knn;
const train = { features, labels };

it("is scikit-learn's, leaving one out", async () => {
  await expectNoLeaks(async () => {
    const accuracy = await nearestNeighbourAccuracy(features, labels);
    expect(accuracy).toBeCloseTo(golden.knn.leaveOneOut, 12);
  });
});

it.each([1, 7, 20].flatMap((k) => [0.07, 0.5].map((temperature) => [k, temperature] as const)))(
  "is scikit-learn's with weights, k %d, temperature %d",
  async (k, temperature) => {
    await expectNoLeaks(async () => {
      const options = { k, train, weights: "exponential", temperature } as const;
      const accuracy = await nearestNeighbourAccuracy(queries, queryLabels, options);
      const expected = golden.knn[`weighted${k}at${temperature}`];
      recordParity({
        name: "nearestNeighbourAccuracy",
        peer: "scikit-learn",
        value: Math.abs(accuracy - expected),
      });
      expect(accuracy).toBeCloseTo(expected, 12);
      if (temperature === 0.07) {
        const { temperature: _, ...defaults } = options;
        expect(await nearestNeighbourAccuracy(queries, queryLabels, defaults)).toBe(accuracy);
      }
    });
  },
);

it("lets the nearest decide a draw", async () => {
  // Rows 0 and 1 have a neighbour of each label, the nearer one of their own; row 2 has two of the other.
  const rows = [
    [1, 0],
    [1, 0.1],
    [1, 0.3],
  ];
  expect(await nearestNeighbourAccuracy(rows, ["a", "a", "b"], { k: 2 })).toBeCloseTo(2 / 3, 12);
});

it("refuses labels and settings that do not fit", async () => {
  await expectNoLeaks(async () => {
    const refuse = (options: object, message: RegExp) =>
      expect(nearestNeighbourAccuracy(queries, queryLabels, options)).rejects.toThrow(message);
    await expect(nearestNeighbourAccuracy(queries, [1])).rejects.toThrow(/labels must hold 25 labels.*got 1/);
    await refuse(
      { train: { features, labels: [1] } },
      /train.labels must hold 60 labels, one for each row, got 1/,
    );
    await refuse({ train: { labels } }, /train must be \{ features, labels \}, got a Object/);
    await refuse({ labels }, /unknown option "labels"/);
    await refuse({ train: 3 }, /train must be \{ features, labels \}, got 3/);
    await refuse({ train: { features, labels, k: 1 } }, /train: unknown option "k"/);
    await refuse({ k: 25 }, /k must be an integer, at least 1 and at most 24, got 25/);
    await refuse({ weights: "distance" }, /weights must be one of uniform, exponential, got "distance"/);
    await refuse({ temperature: 0 }, /temperature must be .*greater than 0, got 0/);
    await refuse(
      { temperature: 0.07 },
      /temperature is of weights "exponential", got 0.07 with weights "uniform"/,
    );
    await refuse({ metric: "l2" }, /unknown option "metric"/);
  });
});

it("refuses one row that has no other, and labels of two kinds", async () => {
  await expectNoLeaks(async () => {
    await expect(nearestNeighbourAccuracy([[1, 2]], [0])).rejects.toThrow(
      "nearestNeighbourAccuracy: features must have at least 2 rows to find one another, got 1",
    );
    const train = { features: [[1, 2]], labels: ["0"] };
    await expect(nearestNeighbourAccuracy([[1, 2]], [0], { train })).rejects.toThrow(
      'nearestNeighbourAccuracy: labels and train.labels must be of one kind, got 0 and "0"',
    );
  });
});
