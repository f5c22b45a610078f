import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { golden } from "../../test/golden.js";
import { nearestNeighbours } from "./nearest-neighbours.js";

it("are scikit-learn's, the nearest first", async () => {
  const { features, queries, indices, similarities } = golden.knn;
  await expectNoLeaks(async () => {
    const found = await nearestNeighbours(queries, { among: features, k: 4 });
    expect(found.map((row) => [...row.indices])).toEqual(indices);
    for (const [i, row] of found.entries())
      expectClose(row.similarities, similarities[i], { absolute: 1e-6 });
  });
});

it("leave a row out of its own neighbours, by default the one nearest", async () => {
  const found = await nearestNeighbours([
    [1, 0],
    [1, 0.1],
    [1, 0.3],
  ]);
  expect(found.map(({ indices }) => [...indices])).toEqual([[1], [0], [1]]);
});

it("refuse k out of range", async () => {
  await expectNoLeaks(async () => {
    await expect(nearestNeighbours([[1], [2]], { k: 2 })).rejects.toThrow(
      "nearestNeighbours: k must be an integer, at least 1 and at most 1, got 2",
    );
    await expect(nearestNeighbours([[1], [2]], { among: [[1]], k: 2 })).rejects.toThrow(/at most 1, got 2/);
    await expect(nearestNeighbours([[1], [2]], { k: 0 })).rejects.toThrow(/at least 1, got 0/);
  });
});
