import "@tensorflow/tfjs-backend-cpu";
import { expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { batched } from "../distances/batched.js";
import { lpDistance } from "../distances/lp-distance.js";
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

it("effectiveRank has no rank of rounding, however many directions are not used", async () => {
  const [a, b] = [normalArray(1, 300), normalArray(2, 64)];
  const one = tf.tensor2d(
    Float32Array.from({ length: 300 * 64 }, (_, at) => a[Math.floor(at / 64)] * b[at % 64]),
    [300, 64],
  );
  // numpy's SVD in float64 gives 1.000003 for such rows, and 1.03 by products of float32.
  for (const x of [one, tf.transpose(one) as tf.Tensor2D]) {
    for (const centered of [false, true]) {
      const { effectiveRank: rank, singularValues } = await effectiveRank(x, { centered });
      expect(Math.abs(rank - 1)).toBeLessThan(2e-5);
      expect(singularValues[1] / singularValues[0]).toBeLessThan(1e-6);
    }
    x.dispose();
  }
});

it("diagnostics of integers leave no tensor behind", async () => {
  const rows = tf.tensor2d([1, 0, 1, 0, 0, 1, -1, 0], [4, 2], "int32");
  await expectNoLeaks(async () => {
    expect((await similarityHistogram(rows, [0, 0, 1, 1], { bins: 2 })).positive).toEqual([0, 2]);
    expect((await effectiveRank(rows)).singularValues[0]).toBeCloseTo(Math.sqrt(3), 6);
    await collapse(rows);
    await expect(similarityHistogram(rows, [0])).rejects.toThrow("labels must hold 4 numbers");
  });
  rows.dispose();
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

it("collapse to one point leaves no dimension alive, and a constant dimension is dead", async () => {
  const point = tf.tensor2d([0, 2, 0, 3, 0, 4, 0, 5], [4, 2]);
  expect(await collapse(point)).toEqual({ spread: 0, deadDimensions: 1, meanCosine: 1, collapsed: true });
  const flat = tf.tensor2d([1, 0, 0, -1, 0, 0], [2, 3]);
  const { deadDimensions, meanCosine, spread } = await collapse(flat);
  expect(deadDimensions).toBeCloseTo(2 / 3, 6);
  expect(meanCosine).toBeCloseTo(-1, 6);
  // A standard deviation of 1 in one of three dimensions, times the root of 3.
  expect(spread).toBeCloseTo(Math.sqrt(3) / 3, 6);
  tf.dispose([point, flat]);
});

it("effectiveRank is 0 for zero rows, and gives singular values in the embeddings' unit, largest first", async () => {
  const zero = tf.zeros([3, 2]);
  expect(await effectiveRank(zero as tf.Tensor2D)).toEqual({
    singularValues: [0, 0],
    effectiveRank: 0,
    centered: false,
  });
  // More columns than rows; the singular values of a diagonal matrix are its entries.
  const wide = tf.tensor2d([0, 2e-3, 0, 5e-3, 0, 0], [2, 3]);
  const { singularValues } = await effectiveRank(wide);
  expect(singularValues).toHaveLength(2);
  expect(singularValues[0]).toBeCloseTo(5e-3, 8);
  expect(singularValues[1]).toBeCloseTo(2e-3, 8);
  tf.dispose([zero, wide]);
});

it("similarityHistogram puts the ends into the outer bins", async () => {
  const rows = tf.tensor2d([1, 0, 1, 0, -1, 0], [3, 2]);
  const { positive, negative, edges } = await similarityHistogram(rows, [0, 0, 1], { bins: 4 });
  expect(edges).toEqual([-1, -0.5, 0, 0.5, 1]);
  expect(positive).toEqual([0, 0, 0, 1]);
  expect(negative).toEqual([2, 0, 0, 0]);
  rows.dispose();
});

it("diagnostics and distances in parts take integers, and leave no tensor behind", async () => {
  const rows = tf.tensor2d([1, 0, 0, 1, 1, 1], [3, 2], "int32");
  await expectNoLeaks(async () => {
    const { positive, negative } = await similarityHistogram(rows, [0, 0, 1], { bins: 2 });
    expect([positive, negative]).toEqual([
      [0, 1],
      [0, 2],
    ]);
    batched(lpDistance(), { rows: 2 })(rows as tf.Tensor2D, rows as tf.Tensor2D).dispose();
  });
  rows.dispose();
});

it("collapse counts a row of zeros as a cosine of 0 in the mean cosine", async () => {
  for (const zeros of [[0, 1, 2, 3], [1, 3], [2]]) {
    const values = normalArray(5, 12).map((value, i) => (zeros.includes(Math.floor(i / 3)) ? 0 : value));
    const rows = Array.from({ length: 4 }, (_, i) => Array.from(values.slice(3 * i, 3 * i + 3)));
    const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);
    let expected = 0;
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 4; j++) {
        const lengths = Math.sqrt(dot(rows[i], rows[i]) * dot(rows[j], rows[j]));
        if (i !== j && lengths > 0) expected += dot(rows[i], rows[j]) / lengths / 12;
      }
    }
    const x = tf.tensor2d(rows);
    const { meanCosine } = await collapse(x);
    expect(Math.abs(meanCosine - expected)).toBeLessThan(1e-6);
    x.dispose();
  }
});
