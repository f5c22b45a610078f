import { expectClose, recordParity } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import { golden } from "../../test/golden.js";
import { clusteringScores } from "./clustering-scores.js";
import { purity } from "./purity.js";
import { vMeasure } from "./v-measure.js";

const names = [
  "nmi",
  "acc",
  "ari",
  "ami",
  "homogeneity",
  "completeness",
  "vMeasure",
  "fowlkesMallows",
  "purity",
] as const;
const functions = {
  nmi: "normalizedMutualInformation",
  acc: "clusteringAccuracy",
  ari: "adjustedRandIndex",
  ami: "adjustedMutualInformation",
  homogeneity: "vMeasure",
  completeness: "vMeasure",
  vMeasure: "vMeasure",
  fowlkesMallows: "fowlkesMallows",
  purity: "purity",
};

describe("clusteringScores", () => {
  it.each(golden.clusterings.map((clustering, i) => [i, clustering] as const))(
    "are scikit-learn's on clustering %i, whatever the clusters' names",
    (_, clustering) => {
      const { labels, clusters } = clustering;
      const renamed = clusters.map((cluster) => `cluster ${100 - 7 * cluster}`);
      for (const found of [clusters, renamed]) {
        const scores = clusteringScores(labels, found);
        for (const name of names) {
          expectClose([scores[name]], [clustering[name]], { absolute: 1e-12 });
          const value = Math.abs(scores[name] - clustering[name]);
          recordParity({ name: functions[name], peer: "scikit-learn", value });
        }
      }
      expectClose([vMeasure(labels, clusters, { beta: 0.3 }).vMeasure], [clustering.vMeasureBeta], {
        absolute: 1e-12,
      });
    },
  );

  it("see neither the order of rows nor, where they are symmetric, which side is which", () => {
    const { labels, clusters } = golden.clusterings[1];
    const order = labels.map((_, i) => (i * 7) % labels.length);
    expect(new Set(order).size).toBe(labels.length);
    const pick = (values: number[]) => order.map((i) => values[i]);
    const scores = clusteringScores(labels, clusters);
    const shuffled = clusteringScores(pick(labels), pick(clusters));
    expectClose(
      names.map((name) => shuffled[name]),
      names.map((name) => scores[name]),
      { relative: 1e-12 },
    );
    const swapped = clusteringScores(clusters, labels);
    for (const name of ["nmi", "acc", "ari", "ami", "vMeasure", "fowlkesMallows"] as const) {
      expectClose([swapped[name]], [scores[name]], { relative: 1e-12 });
    }
    expectClose([swapped.homogeneity], [scores.completeness], { relative: 1e-12 });
  });

  it("match clusters to labels as a whole: the greedy choice is not the best", () => {
    // Label 0 has 3 rows in cluster 0 and 2 in cluster 1, label 1 has 3 in cluster 0: 3 + 0 loses to 2 + 3.
    expect(clusteringScores([0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0, 0, 0]).acc).toBe(5 / 8);
  });

  it("are scikit-learn's where a side has a single class or every row is its own", () => {
    const own = [0, 1, 2, 3];
    const one = [5, 5, 5, 5];
    const three = (labels: number[], clusters: number[]) => {
      const { nmi, acc, ari } = clusteringScores(labels, clusters);
      return [nmi, acc, ari];
    };
    expectClose(three(one, one), [1, 1, 1]);
    expectClose(three(own, own), [1, 1, 1], { absolute: 1e-12 });
    expectClose(three(one, own), [0, 0.25, 0], { absolute: 1e-12 });
    expectClose(three(own, one), [0, 0.25, 0], { absolute: 1e-12 });
    expectClose(three([3], [8]), [1, 1, 1]);
  });

  it("refuse lists of two lengths, empty lists and labels that are no labels", () => {
    expect(() => clusteringScores([0, 1], [0])).toThrow(/of one length above 0, got 2 and 1/);
    expect(() => clusteringScores([], [])).toThrow(/of one length above 0, got 0 and 0/);
    expect(() => clusteringScores([0, Number.NaN], [0, 1])).toThrow(
      "clusteringScores: labels[1] must be an integer or a string, got NaN",
    );
    expect(() => vMeasure([0], [0], { beta: -1 })).toThrow(/vMeasure: beta must be .*at least 0, got -1/);
  });
});

it("refuses labels that are fractions, which scikit-learn warns of", async () => {
  const message = "labels[1] must be an integer or a string, got 0.5";
  expect(() => clusteringScores([0, 0.5, 1], [0, 1, 1])).toThrow(`clusteringScores: ${message}`);
  expect(() => clusteringScores([0, 1, 1], [0, 0.5, 1])).toThrow("clusters[1] must be an integer");
  expect(() => purity([0, 0.5, 1], [0, 1, 1])).toThrow(`purity: ${message}`);
  expect(clusteringScores([-1, 2, 7], ["x", "y", "z"]).acc).toBe(1);
  expect(() => purity([1, "1"], [0, 1])).toThrow(
    'purity: labels must be all integers or all strings, got 1 and "1"',
  );
});
