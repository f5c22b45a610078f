import "@tensorflow/tfjs-backend-cpu";
import {
  checkGradients,
  expectClose,
  expectCloseNorm,
  expectNoLeaks,
  normalArray,
  numericalGradient,
  recordParity,
  relativeError,
} from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { dotSimilarity, type Formulation, multiPositive, supCon } from "../index.js";

const dim = 4;
const formulations: Formulation[] = ["out", "in", "mil-nce"];

/** The three equations as their papers write them, in float64. */
function naive(
  anchors: ArrayLike<number>,
  candidates: ArrayLike<number>,
  positive: ArrayLike<number>,
  excluded: ArrayLike<number>,
  temperature: number,
  formulation: Formulation,
): number[] {
  const row = (x: ArrayLike<number>, i: number) => Array.from({ length: dim }, (_, d) => x[i * dim + d]);
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, d) => sum + value * b[d], 0);
  const [n, m] = [anchors.length / dim, candidates.length / dim];
  return Array.from({ length: n }, (_, i) => {
    const exponential = (j: number) => {
      const [a, c] = [row(anchors, i), row(candidates, j)];
      return Math.exp(dot(a, c) / Math.sqrt(dot(a, a) * dot(c, c)) / temperature);
    };
    const present = Array.from({ length: m }, (_, j) => j).filter((j) => !excluded[i * m + j]);
    const total = present.reduce((sum, k) => sum + exponential(k), 0);
    const own = present.filter((j) => positive[i * m + j]).map((j) => exponential(j) / total);
    const sum = own.reduce((a, b) => a + b, 0);
    if (formulation === "out") return own.reduce((a, q) => a - Math.log(q) / own.length, 0);
    return formulation === "in" ? -Math.log(sum / own.length) : -Math.log(sum);
  });
}

// Three anchors, five candidates, with one to three positives and one candidate left out.
const positive = [1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1];
const excluded = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0];

describe("multiPositive", () => {
  it.each(formulations)(
    "of formulation %s equals loops in float64, with their finite differences",
    async (formulation) => {
      const anchors = tf.tensor2d(normalArray(1, 3 * dim), [3, dim]);
      const candidates = tf.tensor2d(normalArray(2, 5 * dim), [5, dim]);
      const [a, c] = [anchors, candidates].map((x) => Float64Array.from(x.dataSync()));
      const options = { temperature: 0.3, formulation, excluded };
      await expectNoLeaks(() => {
        const losses = multiPositive(anchors, candidates, { positive, ...options, reduction: "none" });
        expectClose(losses, naive(a, c, positive, excluded, 0.3, formulation), { relative: 1e-5 });
        const { value, grads } = tf.valueAndGrads((x: tf.Tensor, y: tf.Tensor) =>
          multiPositive(x as tf.Tensor2D, y as tf.Tensor2D, { positive, ...options, reduction: "sum" }),
        )([anchors, candidates]);
        const sum = (x: ArrayLike<number>, y: ArrayLike<number>) =>
          naive(x, y, positive, excluded, 0.3, formulation).reduce((s, l) => s + l, 0);
        expectClose(value, [sum(a, c)], { relative: 1e-5 });
        const differences = [numericalGradient((x) => sum(x, c), a), numericalGradient((y) => sum(a, y), c)];
        expectCloseNorm(grads[0].dataSync(), differences[0], { relative: 1e-5 });
        expectCloseNorm(grads[1].dataSync(), differences[1], { relative: 1e-5 });
        recordParity({
          name: "multiPositive",
          peer: "float64 loop of the papers' equations",
          value: relativeError(value.dataSync(), [sum(a, c)]),
          gradient: Math.max(...grads.map((x, i) => relativeError(x.dataSync(), differences[i]))),
        });
        tf.dispose([losses, value, ...grads]);
      });
      tf.dispose([anchors, candidates]);
    },
  );

  it("takes dot products or any other similarity", async () => {
    const [x, y] = [tf.tensor2d(normalArray(3, 6), [3, 2]), tf.tensor2d(normalArray(4, 6), [3, 2])];
    const eye = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    const negativeDistance = (a: tf.Tensor2D, b: tf.Tensor2D) =>
      tf.neg(tf.sum(tf.square(tf.sub(tf.expandDims(a, 1), tf.expandDims(b, 0))), 2)) as tf.Tensor2D;
    for (const similarity of [dotSimilarity, negativeDistance]) {
      const options = { temperature: 1, similarity, reduction: "none" } as const;
      const losses = multiPositive(x, y, { positive: eye, ...options });
      const expected = tf.tidy(() => {
        const logits = similarity(x, y);
        return Array.from(tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), tf.eye(3)), 1)).dataSync());
      });
      expectClose(losses, expected, { relative: 1e-5 });
      losses.dispose();
      await checkGradients((a, b) => multiPositive(a, b, { positive: eye, ...options }), [x, y], {
        relative: 1e-3,
        absolute: 1e-4,
      });
    }
    tf.dispose([x, y]);
  });

  it("refuses anchors without positives or without choice, constant losses, and shapes that do not agree", () => {
    tf.tidy(() => {
      const [x, y] = [tf.ones([2, 3]) as tf.Tensor2D, tf.ones([3, 3]) as tf.Tensor2D];
      const pairs = [1, 0, 0, 0, 1, 0];
      expect(() => multiPositive(x, y, { positive: [1, 0, 0, 0, 0, 0] })).toThrow(
        "multiPositive: anchor 1 has no positive",
      );
      expect(() => multiPositive(x, y, { positive: pairs, excluded: [0, 1, 1, 0, 0, 0] })).toThrow(
        /anchor 0 has one candidate/,
      );
      expect(() => multiPositive(x, y, { positive: pairs, excluded: [1, 0, 0, 0, 0, 0] })).toThrow(
        /anchor 0 has no positive/,
      );
      for (const formulation of ["in", "mil-nce"] as const) {
        expect(() => multiPositive(x, y, { positive: Array(6).fill(1), formulation })).toThrow(
          /no anchor has a negative/,
        );
      }
      // The formulation "out" still has something to learn: all candidates are to be alike.
      expectClose(multiPositive(x, y, { positive: Array(6).fill(1) }), [Math.log(3)], { relative: 1e-6 });
      expect(() => multiPositive(x, y, { positive: [1, 0] })).toThrow("positive must have 2 x 3 = 6 entries");
      expect(() => multiPositive(x, y, { positive: pairs, excluded: [1] })).toThrow(
        "excluded must have 2 x 3 = 6 entries",
      );
      expect(() => multiPositive(x, tf.ones([3, 1]), { positive: pairs })).toThrow(/got \[2,3\] and \[3,1\]/);
      expect(() => multiPositive(x, y, { positive: pairs, formulation: "mean" as never })).toThrow(
        /got "mean"/,
      );
      expect(() => multiPositive(x, y, { positive: pairs, reduction: "average" as never })).toThrow(
        /got "average"/,
      );
      for (const temperature of [0, -1, Number.NaN]) {
        expect(() => multiPositive(x, y, { positive: pairs, temperature })).toThrow(
          /temperature must be a finite number, greater than 0/,
        );
      }
    });
  });
});

describe("supCon", () => {
  const labels = [0, 1, 0, 2, 1, 2];
  const features = () => tf.tensor2d(normalArray(5, 6 * dim), [6, dim]);
  const diagonal = labels.flatMap((_, i) => labels.map((_, j) => Number(i === j)));
  const mask = labels.flatMap((a) => labels.map((b) => Number(a === b)));

  it.each(formulations)(
    "of formulation %s takes labels or their mask, and leaves each row itself out",
    (formulation) => {
      const x = features();
      const options = { formulation, temperature: 0.2, reduction: "none" } as const;
      const byLabels = supCon(x, labels, options);
      const byMask = supCon(x, mask, options);
      const expected = naive(x.dataSync(), x.dataSync(), mask, diagonal, 0.2, formulation);
      expectClose(byLabels, expected, { relative: 1e-5 });
      expectClose(byMask, byLabels);
      tf.dispose([x, byLabels, byMask]);
    },
  );

  it("permutes with its rows and does not change with their length", () => {
    const x = features();
    const values = (y: tf.Tensor2D, given: number[]) => {
      const losses = supCon(y, given, { reduction: "none" });
      const result = Array.from(losses.dataSync());
      losses.dispose();
      return result;
    };
    const plain = values(x, labels);
    const order = [3, 5, 0, 1, 4, 2];
    const permuted = tf.gather(x, tf.tensor1d(order, "int32"));
    expectClose(
      values(
        permuted,
        order.map((i) => labels[i]),
      ),
      order.map((i) => plain[i]),
      { relative: 1e-6 },
    );
    for (const scale of [1e-10, 1e10]) {
      const scaled = tf.mul(x, scale) as tf.Tensor2D;
      expectClose(values(scaled, labels), plain, { relative: 1e-5 });
      scaled.dispose();
    }
    const renamed = values(
      x,
      labels.map((label) => 7 - label),
    );
    expectClose(renamed, plain);
    tf.dispose([x, permuted]);
  });

  it("is log(2n - 1) for equal features, and stays finite at temperature 1e-3 with zero and opposite rows", () => {
    const equal = tf.ones([6, dim]) as tf.Tensor2D;
    const rows = Array.from({ length: 6 * dim }, (_, at) => (at < dim ? 0 : at < 2 * dim ? -1 : 1));
    const hard = tf.tensor2d(rows, [6, dim]);
    for (const formulation of formulations) {
      const value = supCon(equal, labels, { formulation });
      expectClose(value, [Math.log(5)], { relative: 1e-6 });
      for (const temperature of [1e-3, 1e-5]) {
        const { value: loss, grad } = tf.valueAndGrad((x) =>
          supCon(x as tf.Tensor2D, labels, { formulation, temperature }),
        )(hard);
        expect([...loss.dataSync(), ...grad.dataSync()].every(Number.isFinite)).toBe(true);
        tf.dispose([loss, grad]);
      }
      value.dispose();
    }
    tf.dispose([equal, hard]);
  });

  it("refuses a batch of one, a row without a positive and a wrong number of labels", () => {
    tf.tidy(() => {
      const x = tf.ones([2, 3]) as tf.Tensor2D;
      expect(() => supCon(tf.ones([1, 3]) as tf.Tensor2D, [0])).toThrow(/supCon: a batch of one/);
      expect(() => supCon(x, [0, 1])).toThrow("supCon: anchor 0 has no positive");
      expect(() => supCon(x, [0, 0, 0])).toThrow(
        "supCon: positives must be 2 labels or 2 x 2 = 4 entries of a mask, got 3",
      );
      expect(() => supCon(x, [0, 0])).toThrow(/anchor 0 has one candidate/);
    });
  });
});
