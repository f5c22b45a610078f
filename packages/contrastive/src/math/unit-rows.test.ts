import "@tensorflow/tfjs-backend-cpu";
import { checkGradients, expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { l2Normalize } from "../shared/l2-normalize.js";
import { unitRows } from "./unit-rows.js";

it("has the values and gradients of l2Normalize, at every length, and second derivatives", async () => {
  const x = tf.tensor2d(normalArray(1, 12), [4, 3]);
  const weights = tf.tensor2d(normalArray(2, 12), [4, 3]);
  for (const size of [1e-36, 1e-12, 1, 1e20, 1e37]) {
    tf.tidy(() => {
      const rows = tf.mul(x, size);
      const [own, theirs] = [unitRows, l2Normalize].map((how) =>
        tf.valueAndGrad((y) => tf.sum(tf.mul(how(y as tf.Tensor2D), weights)))(rows),
      );
      expectClose(own.value, theirs.value, { relative: 1e-6 });
      expectClose(tf.mul(own.grad, size), tf.mul(theirs.grad, size), { absolute: 1e-6 });
    });
  }
  tf.tidy(() => {
    const second = (how: (y: tf.Tensor2D) => tf.Tensor) =>
      tf.grad((y) => tf.sum(tf.square(tf.grad((z) => tf.sum(tf.mul(how(z as tf.Tensor2D), weights)))(y))))(x);
    expectClose(second(unitRows), second(l2Normalize), { relative: 1e-4, absolute: 1e-5 });
    const zero = tf.grad((y) => tf.sum(unitRows(y as tf.Tensor2D)))(tf.zeros([2, 3]));
    expect([...zero.dataSync()]).toEqual([0, 0, 0, 0, 0, 0]);
  });
  await checkGradients((y) => tf.mul(unitRows(y as tf.Tensor2D), weights), [x]);
  tf.dispose([x, weights]);
});
