import "@tensorflow/tfjs-backend-cpu";
import {
  expectClose,
  expectNoLeaks,
  normalArray,
  numericalGradient,
  recordParity,
  relativeError,
} from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { dcr } from "./dcr.js";

const [n, m, size] = [3, 2, 4];

/** Equation 6 as the paper writes it, in float64: anchors, two positives and m negatives, one after another. */
function naive(x: Float64Array, temperature: number): number {
  const row = (i: number) => x.subarray(i * size, (i + 1) * size);
  const cosine = (a: Float64Array, b: Float64Array) => {
    const dot = (u: Float64Array, v: Float64Array) => u.reduce((sum, value, d) => sum + value * v[d], 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  };
  let total = 0;
  for (let i = 0; i < n; i++) {
    const positives = [n + i, 2 * n + i];
    const negatives = Array.from({ length: m }, (_, k) => 3 * n + i * m + k);
    const score = (j: number) => cosine(row(i), row(j)) / temperature;
    const sum = Math.log([...positives, ...negatives].reduce((all, j) => all + Math.exp(score(j)), 0));
    for (const p of positives) total += (sum - score(p)) / 2;
  }
  return total / n;
}

it("equals the paper's equation and its finite differences, for tensors of any shape", async () => {
  const values = Float64Array.from(normalArray(4, n * (3 + m) * size));
  const part = (first: number, count: number, shape: number[]) =>
    tf.tensor(Float32Array.from(values.subarray(first * size, (first + count) * size)), shape);
  const inputs = [
    part(0, n, [n, 2, 2]),
    part(n, n, [n, 2, 2]),
    part(2 * n, n, [n, 2, 2]),
    part(3 * n, n * m, [n, m, 2, 2]),
  ];
  await expectNoLeaks(() => {
    const { value, grads } = tf.valueAndGrads((anchor, first, second, negatives) =>
      dcr({ anchor, positives: [first, second], negatives }, { temperature: 0.3 }),
    )(inputs);
    expectClose(value, [naive(values, 0.3)], { relative: 1e-5 });
    const flat = grads.flatMap((gradient) => Array.from(gradient.dataSync()));
    const differences = numericalGradient((x) => naive(x, 0.3), values);
    expectClose(flat, differences, { relative: 1e-4, absolute: 1e-6 });
    recordParity({
      name: "dcr",
      peer: "float64 loop of the paper's equation",
      value: relativeError(value.dataSync(), [naive(values, 0.3)]),
      gradient: relativeError(flat, differences),
    });
    tf.dispose([value, grads]);
  });
  tf.dispose(inputs);
});

it("refuses inputs that do not fit", () => {
  tf.tidy(() => {
    const x = tf.ones([2, 3]);
    const negatives = tf.ones([2, 1, 3]);
    expect(() => dcr({ anchor: x, positives: [], negatives })).toThrow(
      "positives must be an array of one tensor or more",
    );
    for (const anchor of [tf.ones([2]), undefined, [[1, 2, 3]]] as tf.Tensor[]) {
      expect(() => dcr({ anchor, positives: [x], negatives })).toThrow("dcr: anchor must be [n, ...]");
    }
    expect(() => dcr({ anchor: x, positives: [tf.ones([2, 4])], negatives })).toThrow(
      "dcr: positives[0] must be [2,3] as anchor is, got [2,4]",
    );
    expect(() => dcr({ anchor: x, positives: [x], negatives: x })).toThrow(
      "negatives must be [2, m >= 1, 3], got [2,3]",
    );
    expect(() => dcr({ anchor: x, positives: [x], negatives }, { temperature: 0 })).toThrow(
      "dcr: temperature must be a finite number, greater than 0, got 0",
    );
  });
});

it("keeps float32's digits where tensors are nearly parallel, and takes zeros as similarity 0", () => {
  // The cosine is 1 - 5e-7 for the negative: its score at temperature 1e-6 is 0.5 below the positive's.
  const anchor = tf.tensor2d([[1, 0]]);
  const near = tf.tensor3d([[[1, 1e-3]]]);
  const options = { temperature: 1e-6 };
  const squared = 2 - 2 / Math.sqrt(1 + 1e-6);
  const close = dcr({ anchor, positives: [anchor], negatives: near }, options);
  expectClose(close, [Math.log1p(Math.exp(-squared / 2 / 1e-6))], { relative: 1e-6 });
  const zeros = dcr(
    { anchor, positives: [tf.zeros([1, 2])], negatives: tf.tensor3d([[[-1, 0]]]) },
    { temperature: 1 },
  );
  expectClose(zeros, [Math.log1p(Math.exp(-1))], { relative: 1e-6 });
});
