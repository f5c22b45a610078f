import "@tensorflow/tfjs-backend-cpu";
import { checkGradients, expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { euclideanDistance, lpDistance, negativeCosine, supCon, tripletMargin } from "../index.js";
import { lpNorm } from "./lp-norm.js";

describe("lpNorm", () => {
  it("has the values and gradients of the definition at every length", async () => {
    for (const size of [1e-23, 1, 1e20, 1e37]) {
      tf.tidy(() => {
        const x = tf.tensor2d([3 * size, -4 * size, 0, 0], [2, 2]);
        for (const [p, value] of [
          [1, 7],
          [2, 5],
          [3, (27 + 64) ** (1 / 3)],
        ]) {
          const { value: total, grad } = tf.valueAndGrad((y) => tf.sum(lpNorm(y, p)))(x);
          expectClose(total, [value * size], { relative: 1e-6 });
          const slope = (v: number) => Math.sign(v) * (Math.abs(v) / value) ** (p - 1);
          expectClose(grad, [slope(3), slope(-4), 0, 0], { relative: 1e-6 });
        }
      });
    }
    const x = tf.tensor2d(normalArray(1, 6), [2, 3]);
    for (const p of [2, 3]) await checkGradients((y) => lpNorm(y, p), [x]);
    x.dispose();
  });

  it("makes distances and losses finite where squares are not", () => {
    tf.tidy(() => {
      const a = tf.tensor2d([3e20, 0], [1, 2]);
      const b = tf.tensor2d([0, 4e20], [1, 2]);
      const zero = tf.zeros([1, 2]);
      expectClose(euclideanDistance(a, b), [5e20], { relative: 1e-6 });
      expectClose(lpDistance({ p: 2, power: 0.5, normalize: false })(a, b), [Math.sqrt(5e20)], {
        relative: 1e-6,
      });
      expectClose(euclideanDistance(tf.tensor2d([[3e-23, 0]]), tf.tensor2d([[0, 4e-23]])), [5e-23], {
        relative: 1e-5,
      });
      const { value, grads } = tf.valueAndGrads((anchor, positive, negative) =>
        tripletMargin({ anchor, positive, negative }),
      )([a, b, zero]);
      expectClose(value, [2e20], { relative: 1e-6 });
      expectClose(grads[0], [0.6 - 1, -0.8], { relative: 1e-6 });
    });
  });
});

it("rows below the smallest normal float32 count as zero, with a gradient of 0", () => {
  tf.tidy(() => {
    const [x, y] = [tf.tensor2d([1e-40, 2e-40, 1, 0], [2, 2]), tf.tensor2d([1, 1, 0, 1], [2, 2])];
    const { value, grad } = tf.valueAndGrad((z) => negativeCosine(z, y))(x);
    expectClose(value, [0], {});
    expectClose(grad, [0, 0, 0, -0.5], { relative: 1e-6 });
  });
});

it("supCon takes labels and masks of numbers and booleans alone", () => {
  tf.tidy(() => {
    const x = tf.tensor2d(normalArray(1, 8), [4, 2]);
    expect(() => supCon(x, ["0", "0", "1", "1"] as never)).toThrow(
      'supCon: positives[0] must be a finite number, got "0"',
    );
    expect(() => supCon(x, new Array(16).fill("0") as never)).toThrow(
      'supCon: positives[0] must be a finite number, got "0"',
    );
    expect(() => supCon(x, tf.tensor1d([0, 0, 1, 1]) as never)).toThrow("got a Tensor");
    const excluded = new Array(16).fill("0") as never;
    expect(() => supCon(x, [0, 0, 1, 1], { excluded })).toThrow(/supCon: excluded\[0\] must be/);
  });
});

it("has a finite gradient where a large loss of large distances draws at it", () => {
  tf.tidy(() => {
    const x = tf.tensor2d([[3e19, -4e19]]);
    // Of the square's slope, 2 |x|, and the direction: 1e20 (0.6, -0.8).
    const gradient = (p: number) => tf.grad((y) => tf.sum(tf.square(lpNorm(y, p))))(x);
    expectClose(gradient(2), [6e19, -8e19], { relative: 1e-6 });
    const cubic = (27 + 64) ** (1 / 3);
    expectClose(gradient(3), [(2e19 * 9) / cubic, (-2e19 * 16) / cubic], { relative: 1e-6 });
  });
});
