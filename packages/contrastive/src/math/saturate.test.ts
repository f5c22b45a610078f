import "@tensorflow/tfjs-backend-cpu";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { largestFloat } from "../shared/check-float.js";
import { saturate, saturateGradient } from "./saturate.js";

it("replaces infinities alone, and passes every gradient", () => {
  tf.tidy(() => {
    const x = tf.tensor1d([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e-40, -3e38]);
    const { value, grad } = tf.valueAndGrad((y) => saturate(tf.mul(y, 1)))(x, tf.tensor1d([1, 2, 3, 4, 5]));
    expect(Array.from(value.dataSync())).toEqual([
      largestFloat,
      -largestFloat,
      Number.NaN,
      ...x.dataSync().slice(3),
    ]);
    expectClose(grad, [1, 2, 3, 4, 5], {});
  });
});

it("takes a tensor of no elements", () => {
  tf.tidy(() => {
    const none = tf.tensor1d([]);
    expect(saturate(none).shape).toEqual([0]);
    expect(tf.grad((y) => tf.sum(saturate(y)))(none).shape).toEqual([0]);
  });
});

it("saturateGradient keeps the value, and a gradient beyond float32 becomes the largest", () => {
  tf.tidy(() => {
    const x = tf.tensor1d([1e30, -1e30, 2]);
    const { value, grad } = tf.valueAndGrad((y) => {
      const kept = saturateGradient(y);
      return tf.sum(tf.mul(tf.mul(kept, [1e30, -1e30, 3]), 1e30));
    })(tf.mul(x, 0));
    expectClose(value, [0], {});
    expectClose(grad, [largestFloat, -largestFloat, 3e30], { relative: 1e-6 });
  });
});
