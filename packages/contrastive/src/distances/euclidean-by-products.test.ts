import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { euclideanByProducts } from "./euclidean-by-products.js";
import { lpDistance } from "./lp-distance.js";

const dim = 5;
const ofDifferences = (differences: tf.Tensor) => tf.sum(tf.square(differences), -1);
const byProducts = (x: tf.Tensor2D, y: tf.Tensor2D, mostDifferences = 1000) =>
  euclideanByProducts(x, y, { ofDifferences, ofSquares: (squares) => squares, mostDifferences });

/** Rows of which some are far, some near, and one equal. */
function rows(): [tf.Tensor2D, tf.Tensor2D] {
  const x = normalArray(1, 4 * dim);
  const y = [...normalArray(2, 3 * dim), ...Array.from(x.slice(0, dim), (value) => value * 1.001)];
  return [tf.tensor2d(x, [4, dim]), tf.tensor2d([...y, ...x.slice(dim, 2 * dim)], [5, dim])];
}

/** The distances of rows in float64, raised to a power. */
function loop(x: Float32Array, y: Float32Array, power: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < x.length; i += dim) {
    for (let j = 0; j < y.length; j += dim) {
      result.push(Math.hypot(...Array.from(x.slice(i, i + dim), (value, k) => value - y[j + k])) ** power);
    }
  }
  return result;
}

it.each([1, 2, 3])("lpDistance to the power of %i is that of a float64 loop, near and far", async (power) => {
  await expectNoLeaks(async () => {
    const [x, y] = rows();
    const distance = lpDistance({ power, normalize: false })(x, y);
    expectClose(distance, loop(x.dataSync() as Float32Array, y.dataSync() as Float32Array, power), {
      relative: 1e-6,
    });
    tf.dispose([x, y, distance]);
  });
});

it("gives the gradients of the differences", () => {
  tf.tidy(() => {
    const [x, y] = rows();
    const byDifferences = (a: tf.Tensor, b: tf.Tensor) =>
      ofDifferences(tf.sub(tf.expandDims(a, 1), tf.expandDims(b, 0)));
    const weights = tf.tensor2d(normalArray(3, 20), [4, 5]);
    const gradients = [byDifferences, byProducts].map((f) =>
      tf.grads((a, b) => tf.sum(tf.mul(weights, f(a as tf.Tensor2D, b as tf.Tensor2D)!)))([x, y]),
    );
    for (const input of [0, 1]) {
      expectClose(gradients[1][input], gradients[0][input].dataSync(), { relative: 1e-6, absolute: 1e-6 });
    }
  });
});

it("leaves rows to the differences whose squares float32 does not hold, and many near rows", () => {
  tf.tidy(() => {
    const [x, y] = rows();
    for (const factor of [1e20, 1e-20, NaN]) {
      expect(byProducts(tf.mul(x, factor), y)).toBeUndefined();
      expect(byProducts(x, tf.mul(y, factor))).toBeUndefined();
    }
    // Two pairs are near.
    expect(byProducts(x, y, 2 * dim)).toBeDefined();
    expect(byProducts(x, y, 2 * dim - 1)).toBeUndefined();
    expectClose(byProducts(tf.zeros([1, dim]), tf.zeros([1, dim]))!, [0], { absolute: 0 });
  });
});
