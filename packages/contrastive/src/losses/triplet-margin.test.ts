import "@tensorflow/tfjs-backend-cpu";
import { checkGradients, expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectPyTorch } from "../../test/pytorch.js";
import { tripletMargin } from "./triplet-margin.js";

const matrix = (seed: number, n: number, dim = 4) => tf.tensor2d(normalArray(seed, n * dim), [n, dim]);

it.each([
  ["tripletMargin", {}],
  ["tripletMargin swap", { margin: 2, swap: true }],
])("equals PyTorch's %s", (name, options) =>
  expectPyTorch(name, "abc", (anchor, positive, negative) =>
    tripletMargin({ anchor, positive, negative }, { ...options, reduction: "none" }),
  ),
);

it("is zero once the negative is further by the margin, for each distance", () => {
  tf.tidy(() => {
    const anchor = tf.tensor2d([1, 0, 1, 0], [2, 2]);
    const positive = tf.tensor2d([2, 0, 0, 2], [2, 2]);
    const negative = tf.tensor2d([1, 3, 3, 0], [2, 2]);
    const losses = (options: Parameters<typeof tripletMargin>[1]) =>
      tripletMargin({ anchor, positive, negative }, { ...options, reduction: "none" });
    expectClose(losses({}), [0, Math.sqrt(5) - 2 + 1], { absolute: 1e-5 });
    expectClose(losses({ distance: "squaredEuclidean", margin: 2 }), [0, 5 - 4 + 2], { absolute: 1e-5 });
    expectClose(losses({ distance: "cosine", margin: 0.5 }), [0, 1 - 0 + 0.5], { absolute: 1e-5 });
    expectClose(losses({ margin: 3, swap: true }), [1 - 3 + 3, Math.sqrt(5) - 2 + 3], { absolute: 1e-5 });
  });
});

it("has the gradients that finite differences show, and finite ones for equal embeddings", async () => {
  const inputs = [matrix(9, 2, 3), matrix(10, 2, 3), matrix(11, 2, 3)];
  for (const distance of ["euclidean", "squaredEuclidean", "cosine"] as const) {
    const loss = (a: tf.Tensor, p: tf.Tensor, n: tf.Tensor) =>
      tripletMargin({ anchor: a, positive: p, negative: n }, { distance, margin: 9 });
    await checkGradients(loss, inputs);
    const gradients = tf.grads(loss)([inputs[0], inputs[0], inputs[0]].map((x) => tf.clone(x)));
    for (const gradient of gradients) expect(gradient.dataSync().every(Number.isFinite)).toBe(true);
    tf.dispose(gradients);
  }
  tf.dispose(inputs);
});

it("refuses shapes that differ, a margin of 0 and an unknown distance", () => {
  tf.tidy(() => {
    const [x, y] = [tf.ones([2, 3]) as tf.Tensor2D, tf.ones([1, 3]) as tf.Tensor2D];
    expect(() => tripletMargin({ anchor: x, positive: x, negative: y })).toThrow(
      /anchor \[2,3\], positive \[2,3\], negative \[1,3\]/,
    );
    expect(() => tripletMargin({ anchor: x, positive: x, negative: x }, { margin: 0 })).toThrow(
      /margin must be a finite number, greater than 0, got 0/,
    );
    expect(() => tripletMargin({ anchor: x, positive: x, negative: x }, { distance: "l1" as never })).toThrow(
      /one of euclidean, .*got "l1"/,
    );
  });
});
