import "@tensorflow/tfjs-backend-cpu";
import { checkGradients, expectClose, expectCloseNorm, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import "../shared/register-gradients.js";
import { expectPyTorch, temperatures } from "../../test/pytorch.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { infoNCE } from "./info-nce.js";

const matrix = (seed: number, n: number, dim = 4) => tf.tensor2d(normalArray(seed, n * dim), [n, dim]);

it.each(temperatures)("equals PyTorch's cross entropy at $temperature", async ({ temperature, relative }) => {
  const options = { temperature, reduction: "none" } as const;
  await expectPyTorch(`infoNCE ${temperature}`, "ab", (a, b) => infoNCE(a, b, options), { relative });
  const queue = (a: tf.Tensor2D, b: tf.Tensor2D, negatives: tf.Tensor2D) =>
    infoNCE(a, b, { negatives, ...options });
  await expectPyTorch(`infoNCE queue ${temperature}`, "abc", queue, { relative });
});

it("keeps the digits of small losses", () => {
  tf.tidy(() => {
    // Cosines 1 and 0.98: at a temperature of 1e-3 the loss is log(1 + e^-20), far below float32's rounding of 1.
    const [a, b] = [
      tf.tensor2d([1, 0, 0.98, Math.sqrt(1 - 0.98 ** 2)], [2, 2]),
      tf.tensor2d([1, 0, 0.98, Math.sqrt(1 - 0.98 ** 2)], [2, 2]),
    ];
    // The relative tolerance is float32's rounding of a cosine, 6e-8, over the temperature.
    const expected = Math.log1p(Math.exp(-0.02 / 1e-3));
    expectClose(infoNCE(a, b, { temperature: 1e-3 }), [expected], { relative: 3e-4 });
  });
});

it("symmetric is the mean of both directions", () => {
  tf.tidy(() => {
    const [a, b] = [matrix(1, 4), matrix(2, 4)];
    const both = tf.mul(tf.add(infoNCE(a, b), infoNCE(b, a)), 0.5);
    expectClose(infoNCE(a, b, { symmetric: true }), both, { relative: 1e-6 });
  });
});

describe("in blocks", () => {
  it("has the second derivative of the whole matrix", () => {
    tf.tidy(() => {
      const [a, b] = [matrix(1, 4), matrix(2, 4)];
      const second = (blocks: object) => {
        const first = tf.grad((x) => infoNCE(x, b, { temperature: 0.3, ...blocks }));
        return tf.grad((x) => tf.sum(tf.square(first(x))))(a);
      };
      expectCloseNorm(second({ blockSize: 2 }).dataSync(), second({}).dataSync(), { relative: 1e-4 });
    });
  });

  it("refuses negatives", () => {
    tf.tidy(() => {
      const x = matrix(1, 3);
      expect(() => infoNCE(x, x, { blockSize: 2, negatives: x })).toThrow(
        "infoNCE: negatives cannot be used with blockSize",
      );
    });
  });
});

it("integers are computed as floats", () => {
  tf.tidy(() => {
    // Squares of these wrap in int32 (pytorch issue 61454).
    const rows = [
      [60000, 1],
      [40000, 40000],
    ];
    const integers = tf.tensor2d(rows, [2, 2], "int32");
    expectClose(infoNCE(integers, integers), infoNCE(tf.tensor2d(rows), tf.tensor2d(rows)), {
      relative: 1e-6,
    });
  });
});

it("has the properties of a loss, at a temperature of 0.01 too", async () => {
  const inputs = [matrix(1, 5), matrix(2, 5)];
  for (const temperature of [0.1, 0.01]) {
    await checkLossProperties(([a, b]) => infoNCE(a, b, { temperature }), { inputs, scaleInvariant: true });
  }
  tf.dispose(inputs);
});

describe("with negatives", () => {
  it("gives each query its own, or all the same", () => {
    tf.tidy(() => {
      const [query, positive, shared] = [matrix(1, 3), matrix(2, 3), matrix(3, 5)];
      const own = tf.tile(tf.expandDims(shared, 0), [3, 1, 1]) as tf.Tensor3D;
      const ofShared = infoNCE(query, positive, { negatives: shared, reduction: "none" });
      expectClose(infoNCE(query, positive, { negatives: own, reduction: "none" }), ofShared, {
        relative: 1e-6,
      });
      const single = infoNCE(tf.slice(query, 1, 1) as tf.Tensor2D, tf.slice(positive, 1, 1) as tf.Tensor2D, {
        negatives: shared,
      });
      expectClose(single, [ofShared.dataSync()[1]], { relative: 1e-6 });
    });
  });

  it("has the gradients that finite differences show", async () => {
    const inputs = [matrix(4, 2, 2), matrix(5, 2, 2), tf.tensor3d(normalArray(6, 12), [2, 3, 2])];
    await checkGradients(
      (q, p, x) =>
        infoNCE(q as tf.Tensor2D, p as tf.Tensor2D, {
          negatives: x as tf.Tensor3D,
          temperature: 1,
          reduction: "none",
        }),
      inputs,
      { step: 1 / 64 },
    );
    tf.dispose(inputs);
  });

  it("refuses negatives of another shape", () => {
    tf.tidy(() => {
      const x = tf.ones([2, 3]) as tf.Tensor2D;
      for (const shape of [
        [2, 4],
        [0, 3],
        [3, 5, 3],
        [2, 0, 3],
      ]) {
        const negatives = tf.ones(shape as number[] as [number, number]) as tf.Tensor2D;
        expect(() => infoNCE(x, x, { negatives })).toThrow(
          /negatives must be \[m >= 1, 3\] or \[2, m >= 1, 3\], got/,
        );
      }
      expect(() => infoNCE(x, x, { negatives: x, temperature: 0 })).toThrow(
        /temperature must be a finite number, greater than 0/,
      );
    });
  });
});
