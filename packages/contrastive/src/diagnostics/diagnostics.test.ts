import "@tensorflow/tfjs-backend-cpu";
import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { collapse } from "./collapse-monitor.js";
import { effectiveRank } from "./effective-rank.js";
import { similarityHistogram } from "./similarity-histogram.js";

it("effectiveRank is the width for equal singular values, and 1 for one direction", async () => {
  const before = tf.memory().numTensors;
  const all = tf.tidy(() => tf.mul(tf.eye(4), 1e10));
  const one = tf.tidy(() => tf.matMul(tf.ones([5, 1]), tf.tensor2d([[1, 2, 3]])));
  const skewed = tf.tensor2d([3, 0, 0, 1], [2, 2]);
  expect((await effectiveRank(all)).effectiveRank).toBeCloseTo(4, 5);
  expect((await effectiveRank(one)).effectiveRank).toBeCloseTo(1, 3);
  // Shares 3/4 and 1/4.
  const { singularValues, effectiveRank: rank } = await effectiveRank(skewed);
  expect(singularValues[0]).toBeCloseTo(3, 5);
  expect(rank).toBeCloseTo(Math.exp(-0.75 * Math.log(0.75) - 0.25 * Math.log(0.25)), 5);
  expect((await effectiveRank(one, { centered: true })).effectiveRank).toBe(0);
  tf.dispose([all, one, skewed]);
  expect(tf.memory().numTensors).toBe(before);
});

it("collapse tells rows all over the sphere from one point", async () => {
  const spread = tf.tensor2d(normalArray(1, 200 * 16), [200, 16]);
  const point = tf.tile(tf.slice(spread, 0, 1), [10, 1]) as tf.Tensor2D;
  const healthy = await collapse(spread);
  expect(healthy.spread).toBeGreaterThan(0.9);
  expect(healthy.collapsed).toBe(false);
  expect(Math.abs(healthy.meanCosine)).toBeLessThan(0.02);
  const collapsed = await collapse(point);
  expect(collapsed.collapsed).toBe(true);
  expect(collapsed.meanCosine).toBeCloseTo(1, 5);
  tf.dispose([spread, point]);
});

it("similarityHistogram counts each pair once, by label", async () => {
  const rows = tf.tensor2d([1, 0, 1, 0, 0, 1, -1, 0], [4, 2]);
  const { edges, positive, negative } = await similarityHistogram(rows, [0, 0, 1, 1], { bins: 2 });
  expect(edges).toEqual([-1, 0, 1]);
  // Positive: cosines 1 and 0; negative: 0, -1, 0, -1.
  expect(positive).toEqual([0, 2]);
  expect(negative).toEqual([2, 2]);
  rows.dispose();
});

it("refuse values that are not finite", async () => {
  const broken = tf.tensor2d([1, Number.NaN, 0, 1], [2, 2]);
  await expect(effectiveRank(broken)).rejects.toThrow("effectiveRank: embeddings must be finite");
  await expect(collapse(broken)).rejects.toThrow("collapse: embeddings must be finite");
  await expect(similarityHistogram(broken, [0, 1])).rejects.toThrow(
    "similarityHistogram: embeddings must be finite",
  );
  broken.dispose();
});
