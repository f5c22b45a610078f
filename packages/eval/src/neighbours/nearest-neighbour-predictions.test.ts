import "@tensorflow/tfjs-backend-cpu";
import { expectNoLeaks } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { golden } from "../../test/golden.js";
import { confusionMatrix } from "../probe/confusion-matrix.js";
import { nearestNeighbourPredictions } from "./nearest-neighbour-predictions.js";

const { features, labels, queries, queryLabels } = golden.knn;

it("labels rows by the others as scikit-learn does", async () => {
  await expectNoLeaks(async () => {
    const predictions = await nearestNeighbourPredictions(features, { labels });
    expect(confusionMatrix(labels, predictions).accuracy).toBeCloseTo(golden.knn.leaveOneOut, 12);
  });
});

it("labels new rows by weighted votes as scikit-learn does", async () => {
  const options = { train: { features, labels }, k: 7, weights: "exponential", temperature: 0.5 } as const;
  const predictions = await nearestNeighbourPredictions(queries, options);
  const right = predictions.filter((label, i) => label === queryLabels[i]);
  expect(right.length / queries.length).toBeCloseTo(golden.knn["weighted7at0.5"], 12);
});

it("needs labels of the rows or rows that vote, and not both", async () => {
  await expect(nearestNeighbourPredictions(features, {})).rejects.toThrow(
    "nearestNeighbourPredictions: expected either labels or train, got none",
  );
  await expect(
    nearestNeighbourPredictions(queries, { labels: queryLabels, train: { features, labels } }),
  ).rejects.toThrow("either labels or train, got both");
});
