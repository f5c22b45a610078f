import "@tensorflow/tfjs-backend-cpu";
import { checkGradients, expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { cosineSimilarity, dotSimilarity, l2Normalize, reduce } from "../index.js";

describe("similarities", () => {
  it("are pairwise dot products, of normalised rows or as they are", async () => {
    const a = tf.tensor2d([3, 4, 0, 2], [2, 2]);
    const b = tf.tensor2d([1, 0, 6, 8, 0, 0], [3, 2]);
    await expectNoLeaks(() => {
      const [cosine, dot, rows] = [cosineSimilarity(a, b), dotSimilarity(a, b), l2Normalize(b)];
      expectClose(cosine, [0.6, 1, 0, 0, 0.8, 0], { absolute: 1e-6 });
      expectClose(dot, [3, 50, 0, 0, 16, 0], { relative: 1e-6 });
      expectClose(rows, [1, 0, 0.6, 0.8, 0, 0], { absolute: 1e-6 });
      tf.dispose([cosine, dot, rows]);
    });
    tf.dispose([a, b]);
  });

  it("have the gradients that finite differences show", async () => {
    const inputs = [tf.tensor2d(normalArray(1, 6), [2, 3]), tf.tensor2d(normalArray(2, 9), [3, 3])];
    for (const similarity of [cosineSimilarity, dotSimilarity]) {
      await checkGradients((a, b) => similarity(a as tf.Tensor2D, b as tf.Tensor2D), inputs);
    }
    tf.dispose(inputs);
  });

  it("refuse rows of different widths", () => {
    tf.tidy(() => {
      const [x, y] = [tf.ones([2, 3]) as tf.Tensor2D, tf.ones([2, 1]) as tf.Tensor2D];
      expect(() => cosineSimilarity(x, y)).toThrow(
        "cosineSimilarity: expected [n, dim] and [m, dim], got [2,3] and [2,1]",
      );
      expect(() => dotSimilarity(x, tf.ones([3]) as never)).toThrow(
        /dotSimilarity: b must be \[n, dim\].*got \[3\]/,
      );
    });
  });
});

describe("reduce", () => {
  it("gives mean, sum, or the values in a tensor of their own", () => {
    const losses = tf.tensor1d([1, 2, 6]);
    const [mean, sum, none] = [reduce(losses, "mean"), reduce(losses, "sum"), reduce(losses, "none")];
    losses.dispose();
    expectClose([...mean.dataSync(), ...sum.dataSync(), ...none.dataSync()], [3, 9, 1, 2, 6], {
      relative: 1e-7,
    });
    tf.dispose([mean, sum, none]);
    expect(() => tf.tidy(() => reduce(tf.tensor1d([1]), "max" as never))).toThrow(
      /"mean", "sum", "none" or a function, got "max"/,
    );
  });
});
