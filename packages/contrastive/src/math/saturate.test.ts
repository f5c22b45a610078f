import "@tensorflow/tfjs-backend-cpu";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { largestFloat } from "../shared/check-float.js";
import { saturate } from "./saturate.js";

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
