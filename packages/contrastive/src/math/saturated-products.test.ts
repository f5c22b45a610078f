import "@tensorflow/tfjs-backend-cpu";
import { checkGradients, expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { largestFloat } from "../shared/check-float.js";
import { dotProducts, rowProducts } from "./saturated-products.js";

const matrix = (seed: number, n: number) => tf.tensor2d(normalArray(seed, n * 4), [n, 4]);

it("are the products of rows, with their first and second derivatives", async () => {
  await expectNoLeaks(async () => {
    const [x, y] = [matrix(1, 3), matrix(2, 5)];
    const plain = tf.matMul(x, y, false, true);
    const product = dotProducts(x, y);
    expectClose(product, plain, { relative: 1e-6, absolute: 1e-6 });
    await checkGradients((a, b) => tf.tanh(dotProducts(a as tf.Tensor2D, b as tf.Tensor2D)), [x, y]);
    const rows = tf.slice(y, 0, 3) as tf.Tensor2D;
    const each = rowProducts(x, rows);
    tf.tidy(() => expectClose(each, tf.sum(tf.mul(x, rows), 1), { relative: 1e-6, absolute: 1e-6 }));
    await checkGradients((a, b) => tf.tanh(rowProducts(a as tf.Tensor2D, b as tf.Tensor2D)), [x, rows]);
    tf.tidy(() => {
      const penalty = (product: (a: tf.Tensor2D, b: tf.Tensor2D) => tf.Tensor) =>
        tf.grad((a) =>
          tf.sum(tf.square(tf.grad((b) => tf.sum(tf.tanh(product(b as tf.Tensor2D, rows))))(a))),
        )(x);
      const withPlain = penalty((a, b) => tf.matMul(a, b, false, true));
      expectClose(penalty(dotProducts), withPlain, { relative: 1e-4, absolute: 1e-5 });
      const withRows = penalty((a, b) => tf.sum(tf.mul(a, b), 1));
      expectClose(penalty(rowProducts), withRows, { relative: 1e-4, absolute: 1e-5 });
    });
    tf.dispose([x, y, plain, product, rows, each]);
  });
});

it("saturate where a product is beyond float32, and keep those that are not", () => {
  tf.tidy(() => {
    // The products of the first rows are 1e40 - 1e40 = 0 and 2e40; of the second 1e-10 and so on.
    const x = tf.tensor2d([1e20, 1e20, 1e-30, 0], [2, 2]);
    const y = tf.tensor2d([1e20, -1e20, -1e20, -1e20], [2, 2]);
    expectClose(dotProducts(x, y), [0, -largestFloat, 1e-10, -1e-10], { relative: 1e-6 });
    expectClose(rowProducts(x, y), [0, -1e-10], { relative: 1e-6 });
    const [gradient] = tf.grads((a, b) => tf.sum(dotProducts(a as tf.Tensor2D, b as tf.Tensor2D)))([x, y]);
    expectClose(gradient, [0, -2e20, 0, -2e20], { relative: 1e-6 });
    expect(Number.isNaN(dotProducts(tf.tensor2d([[Number.NaN, 1]]), y).dataSync()[0])).toBe(true);
  });
});
