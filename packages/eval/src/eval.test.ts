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

  it("see neither the order of rows nor which side is which", () => {
    const { labels, clusters } = golden.clusterings[1];
    const order = labels.map((_, i) => (i * 7) % labels.length);
    const pick = (values: number[]) => order.map((i) => values[i]);
    expect(new Set(order).size).toBe(labels.length);
    const scores = Object.values(clusteringScores(labels, clusters));
    for (const [a, b] of [
      [pick(labels), pick(clusters)],
      [clusters, labels],
    ]) {
      expectClose(Object.values(clusteringScores(a, b)), scores, { relative: 1e-12 });
    }
  });

  it("are scikit-learn's where a side has a single class or every row is its own", () => {
    const own = [0, 1, 2, 3];
    const one = [5, 5, 5, 5];
    expect(clusteringScores(one, one)).toEqual({ nmi: 1, acc: 1, ari: 1 });
    expectClose(Object.values(clusteringScores(own, own)), [1, 1, 1], { absolute: 1e-12 });
    expectClose(Object.values(clusteringScores(one, own)), [0, 0.25, 0], { absolute: 1e-12 });
    expectClose(Object.values(clusteringScores(own, one)), [0, 0.25, 0], { absolute: 1e-12 });
    expect(clusteringScores([3], [8])).toEqual({ nmi: 1, acc: 1, ari: 1 });
  });

  it("match clusters to labels as a whole: the greedy choice is not the best", () => {
    // Label 0 has 3 rows in cluster 0 and 2 in cluster 1, label 1 has 3 in cluster 0: 3 + 0 loses to 2 + 3.
    const labels = [0, 0, 0, 0, 0, 1, 1, 1];
    const clusters = [0, 0, 0, 1, 1, 0, 0, 0];
    expect(clusteringAccuracy(labels, clusters)).toBe(5 / 8);
  });

  it("refuse lists of two lengths", () => {
    expect(() => clusteringScores([0, 1], [0])).toThrow(/one length above 0, got 2 and 1/);
    expect(() => clusteringScores([], [])).toThrow(/one length above 0, got 0 and 0/);
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

  it("refuses settings and features that give no clustering", async () => {
    const features = tf.tensor2d([
      [0, 1],
      [Number.NaN, 1],
    ]);
    await expect(kMeans(features, { clusters: 2, restarts: 0 })).rejects.toThrow(
      /restarts must be a positive integer, got 0/,
    );
    await expect(kMeans(features, { clusters: 2, maxIterations: 0.5 })).rejects.toThrow(
      /maxIterations must be a positive integer, got 0.5/,
    );
    await expect(kMeans(features, { clusters: 2 })).rejects.toThrow(/features must be finite, row 1 is not/);
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

  it("takes the best of several right candidates, and counts only wrong ones above it", async () => {
    // By similarity to (1, 0): candidates 3 > 1 > 0 > 2; 1 and 0 are right, so one wrong one stands above.
    const query = tf.tensor2d([[1, 0]]);
    const candidates = tf.tensor2d([
      [1, 0.5],
      [1, 0.2],
      [0, 1],
      [1, 0],
    ]);
    await expectNoLeaks(async () => {
      const recall = await recallAtK(query, candidates, (_, j) => j < 2, [1, 2, 9]);
      expect(recall).toEqual({ 1: 0, 2: 1, 9: 1 });
    });
    tf.dispose([query, candidates]);
  });

  it("classifies by the nearest class text, ties against it", async () => {
    const classes = tf.tensor2d([
      [1, 0],
      [0, 1],
    ]);
    // The fourth lies between both, the fifth has no direction: neither counts for any class.
    const images = tf.tensor2d([
      [2, 1],
      [1, 2],
      [1, 3],
      [1, 1],
      [0, 0],
    ]);
    await expectNoLeaks(async () => {
      expect(await zeroShotAccuracy(images, classes, [0, 1, 0, 0, 1])).toBeCloseTo(2 / 5, 12);
    });
    await expect(zeroShotAccuracy(images, classes, [0, 1])).rejects.toThrow(/expected 5 labels.*got 2/);
    await expect(zeroShotAccuracy(images, classes, [0, 1, 0, 2, 1])).rejects.toThrow(
      /labels must be rows of classTexts, 0..1, got 2/,
    );
    tf.dispose([classes, images]);
  });

  it("refuses what has no similarity: NaN would make every answer right", async () => {
    const good = tf.eye(2);
    const wide = tf.eye(3);
    const isRight = (i: number, j: number) => i === j;
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const bad = tf.tensor2d([
        [1, 0],
        [value, 1],
      ]);
      await expectNoLeaks(async () => {
        await expect(recallAtK(bad, good, isRight, [1])).rejects.toThrow(
          /features must be finite; the similarity of rows 1 and 0 is NaN/,
        );
        await expect(nearestNeighbourAccuracy(bad, [0, 0])).rejects.toThrow(/features must be finite/);
        await expect(textImagePairs(good, good, good, bad, ["x", "x"])).rejects.toThrow(/must be finite/);
      });
      bad.dispose();
    }
    await expect(recallAtK(good, wide, isRight, [1])).rejects.toThrow(/got \[2,2\] and \[3,3\]/);
    tf.dispose([good, wide]);
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

  it("between images fail on each of the four comparisons, and on a tie in any", async () => {
    // By column: right; a's twin nearer to b; b's nearer to a; a nearer to b's twin; b nearer to a's; two ties.
    const a = at(0, 0, 0, 0, -40, 0, 0);
    const b = at(90, 90, 90, -40, 0, 90, 90);
    const twinA = at(10, 50, 5, 30, -25, 45, 10);
    const twinB = at(80, 95, 40, -25, 30, 100, 45);
    await expectNoLeaks(async () => {
      const { pairs, accuracy, count } = await imageImagePairs(a, b, twinA, twinB, Array(7).fill("x"));
      expect(pairs.map(({ correct }) => correct)).toEqual([true, false, false, false, false, false, false]);
      expect(pairs[5].similarities[0]).toBe(pairs[5].similarities[2]);
      expect(pairs[6].similarities[1]).toBe(pairs[6].similarities[3]);
      expect(accuracy).toBeCloseTo(1 / 7, 12);
      expect(count).toBe(7);
      const cosines = [10, 80, 80, 10].map((angle) => Math.cos((angle * Math.PI) / 180));
      expectClose(pairs[0].similarities, cosines, { absolute: 1e-6 });
    });
    tf.dispose([a, b, twinA, twinB]);
  });

  it("have Wilson's interval", () => {
    // Brown, Cai & DasGupta 2001: 0 of 10 gives [0, 0.2775].
    expectClose(wilsonInterval(0, 10), [0, 0.2775], { absolute: 1e-4 });
    expectClose(wilsonInterval(0.5, 100), [0.4038, 0.5962], { absolute: 1e-4 });
    // With z = 1: centre (p + 1/2n)/(1 + 1/n) = 3/5, half sqrt(p q/n + 1/4n^2)/(1 + 1/n) = sqrt(1/16)/(5/4) for n = 4.
    const half = Math.sqrt((0.625 * 0.375) / 4 + 1 / 64) / 1.25;
    expectClose(wilsonInterval(0.625, 4, 1), [0.6 - half, 0.6 + half], { absolute: 1e-12 });
    expect(wilsonInterval(1, 3)[1]).toBeLessThanOrEqual(1);
  });
});
