import "@tensorflow/tfjs-backend-cpu";
import { readFileSync } from "node:fs";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import {
  adjustedRandIndex,
  clusteringAccuracy,
  clusteringScores,
  kMeans,
  normalizedMutualInformation,
} from "./clustering.js";
import { imageImagePairs, textImagePairs, wilsonInterval } from "./detail-pairs.js";
import { nearestNeighbourAccuracy } from "./nearest-neighbours.js";
import { recallAtK, zeroShotAccuracy } from "./retrieval.js";

interface Golden {
  clusterings: { labels: number[]; clusters: number[]; nmi: number; acc: number; ari: number }[];
  knn: { features: number[][]; labels: number[]; accuracy: number };
}
const golden = JSON.parse(
  readFileSync(new URL("../fixtures/golden.json", import.meta.url), "utf8"),
) as Golden;

describe("clustering scores", () => {
  it.each(golden.clusterings.map((clustering, i) => [i, clustering] as const))(
    "are scikit-learn's on clustering %i, whatever the clusters' names",
    (_, { labels, clusters, nmi, acc, ari }) => {
      const renamed = clusters.map((cluster) => 100 - 7 * cluster);
      for (const names of [clusters, renamed]) {
        const scores = clusteringScores(labels, names);
        expectClose([scores.nmi, scores.acc, scores.ari], [nmi, acc, ari], {
          relative: 1e-12,
          absolute: 1e-12,
        });
      }
    },
  );

  it("are 1 for a perfect clustering", () => {
    const labels = [0, 0, 1, 2, 2, 2];
    const clusters = [5, 5, 3, 9, 9, 9];
    expectClose(
      [
        normalizedMutualInformation(labels, clusters),
        clusteringAccuracy(labels, clusters),
        adjustedRandIndex(labels, clusters),
      ],
      [1, 1, 1],
      { absolute: 1e-12 },
    );
  });

  it("refuse lists of two lengths", () => {
    expect(() => clusteringScores([0, 1], [0])).toThrow(/one length above 0, got 2 and 1/);
  });
});

describe("kMeans", () => {
  it("finds separate blobs, the same for the same seed", async () => {
    const noise = normalArray(1, 90 * 3);
    const rows = Array.from({ length: 90 }, (_, i) =>
      [0, 1, 2].map((axis) => 0.2 * noise[3 * i + axis] + (i % 3 === axis ? 5 : 0)),
    );
    const labels = rows.map((_, i) => i % 3);
    const features = tf.tensor2d(rows);
    await expectNoLeaks(async () => {
      const clusters = await kMeans(features, { clusters: 3, seed: 4 });
      expect(clusteringAccuracy(labels, clusters)).toBe(1);
      expect(await kMeans(features, { clusters: 3, seed: 4 })).toEqual(clusters);
      await expect(kMeans(features, { clusters: 91 })).rejects.toThrow(
        /clusters must be an integer in 1..90, got 91/,
      );
    });
    features.dispose();
  });
});

describe("nearestNeighbourAccuracy", () => {
  it("is scikit-learn's, leaving one out", async () => {
    const features = tf.tensor2d(golden.knn.features);
    await expectNoLeaks(async () => {
      expect(await nearestNeighbourAccuracy(features, golden.knn.labels)).toBeCloseTo(
        golden.knn.accuracy,
        12,
      );
    });
    features.dispose();
  });

  it("lets the nearest decide a draw", async () => {
    // Rows 0 and 1 have a neighbour of each label, the nearer one of their own; row 2 has two of the other.
    const features = tf.tensor2d([
      [1, 0],
      [1, 0.1],
      [1, 0.3],
    ]);
    expect(await nearestNeighbourAccuracy(features, [7, 7, 8], { k: 2 })).toBeCloseTo(2 / 3, 12);
    await expect(nearestNeighbourAccuracy(features, [7, 7], {})).rejects.toThrow(/expected 3 labels.*got 2/);
    await expect(nearestNeighbourAccuracy(features, [7, 7, 8], { k: 3 })).rejects.toThrow(/1..2, got 3/);
    features.dispose();
  });
});

describe("retrieval", () => {
  it("counts the right candidate's rank, ties against it", async () => {
    const queries = tf.tensor2d([
      [1, 0],
      [0, 1],
    ]);
    const candidates = tf.tensor2d([
      [1, 0],
      [2, 0],
      [0, 1],
    ]);
    await expectNoLeaks(async () => {
      const recall = await recallAtK(queries, candidates, (i, j) => (i === 0 ? j === 0 : j === 2), [1, 2]);
      // Query 0's own candidate ties with candidate 1, which counts as above it.
      expect(recall).toEqual({ 1: 0.5, 2: 1 });
      expect(await zeroShotAccuracy(queries, queries, [0, 0])).toBe(0.5);
    });
    await expect(recallAtK(queries, candidates, () => false, [1])).rejects.toThrow(
      /query 0 has no right candidate/,
    );
    tf.dispose([queries, candidates]);
  });
});

describe("detail pairs", () => {
  const at = (...degrees: number[]) =>
    tf.tensor2d(
      degrees.map((angle) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)]),
    );

  it("count by MMVP-VLM's rule: both statements must find their image", async () => {
    const [a, b] = [at(0, 0, 0), at(90, 90, 0)];
    // Pair 1 right; in pair 2 both statements point at a; pair 3's images are equal, a tie.
    const [saysA, saysB] = [at(10, 10, 10), at(80, 20, 80)];
    await expectNoLeaks(async () => {
      const scores = await textImagePairs(a, b, saysA, saysB, ["x", "x", "y"]);
      expect(scores.pairs.map(({ correct }) => correct)).toEqual([true, false, false]);
      expect(scores.byPattern).toEqual({ x: { accuracy: 0.5, count: 2 }, y: { accuracy: 0, count: 1 } });
      expect(scores.accuracy).toBeCloseTo(1 / 3, 12);
    });
    await expect(textImagePairs(a, b, saysA, saysB, ["x"])).rejects.toThrow(/expected 1 rows/);
    tf.dispose([a, b, saysA, saysB]);
  });

  it("between images ask all four", async () => {
    // Pair 2: b's twin lies nearer to a than to b.
    const [a, b, twinA, twinB] = [at(0, 0), at(90, 90), at(5, 5), at(85, 40)];
    const scores = await imageImagePairs(a, b, twinA, twinB, ["x", "x"]);
    expect(scores.pairs.map(({ correct }) => correct)).toEqual([true, false]);
    tf.dispose([a, b, twinA, twinB]);
  });

  it("have Wilson's interval", () => {
    // Brown, Cai & DasGupta 2001: 0 of 10 gives [0, 0.2775].
    expectClose(wilsonInterval(0, 10), [0, 0.2775], { absolute: 1e-4 });
    expectClose(wilsonInterval(0.5, 100), [0.4038, 0.5962], { absolute: 1e-4 });
  });
});
