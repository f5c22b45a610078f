import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, recordParity } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { golden } from "../../test/golden.js";
import { silhouette } from "./silhouette.js";

it("is scikit-learn's", async () => {
  const { features, labels, silhouette: expected } = golden.knn;
  await expectNoLeaks(async () => {
    const value = await silhouette(features, labels);
    recordParity({ name: "silhouette", peer: "scikit-learn", value: Math.abs(value / expected - 1) });
    expectClose([value], [expected], { relative: 1e-9 });
  });
});

it("counts a row that is alone as 0", async () => {
  // Rows 0 and 1: a = 1, b = 10 and 9. Row 2 is alone.
  expectClose([await silhouette([[0], [1], [10]], ["x", "x", "y"])], [(9 / 10 + 8 / 9 + 0) / 3], {
    absolute: 1e-15,
  });
});

it.each([4, 5, 6, 7, 9, 12])("is that of a loop over all pairs of %i rows", async (n) => {
  const rows = Array.from({ length: n }, (_, i) => [
    Math.fround(Math.sin(3 * i)),
    Math.fround(Math.cos(5 * i)),
    i % 3,
  ]);
  const clusters = rows.map((_, i) => i % 2);
  const distance = (i: number, j: number) => Math.hypot(...rows[i].map((value, c) => value - rows[j][c]));
  const mean = (i: number, cluster: number) => {
    const others = rows.flatMap((_, j) => (j !== i && clusters[j] === cluster ? [distance(i, j)] : []));
    return others.reduce((sum, value) => sum + value, 0) / others.length;
  };
  const widths = clusters.map((own, i) => {
    const [inner, outer] = [mean(i, own), mean(i, 1 - own)];
    return (outer - inner) / Math.max(inner, outer);
  });
  const expected = widths.reduce((sum, width) => sum + width) / n;
  expectClose([await silhouette(rows, clusters)], [expected], { absolute: 1e-12 });
});

it("does not depend on where the rows lie, or on their unit", async () => {
  // Differences of 1, 9 and 10 beside a common part of 2^20.
  const rows = [0, 1, 10].map((x) => [x + 2 ** 20, 2 ** 20]);
  for (const unit of [1, 2 ** 100, 2 ** -100]) {
    const scaled = rows.map((row) => row.map((x) => x * unit));
    expectClose([await silhouette(scaled, ["x", "x", "y"])], [(9 / 10 + 8 / 9) / 3], { absolute: 1e-15 });
  }
});

it("is 0 where all rows are equal", async () => {
  expect(await silhouette([[2], [2], [2], [2]], [0, 0, 1, 1])).toBe(0);
});

it("refuses one cluster, and a cluster for each row", async () => {
  await expectNoLeaks(async () => {
    await expect(silhouette([[0], [1], [2]], [1, 1, 1])).rejects.toThrow(
      /2 to 2 different clusters for 3 rows, got 1/,
    );
    await expect(silhouette([[0], [1], [2]], [1, 2, 3])).rejects.toThrow(/got 3/);
    await expect(silhouette([[0], [1]], [1])).rejects.toThrow(
      /silhouette: clusters must hold 2 labels.*got 1/,
    );
  });
});
