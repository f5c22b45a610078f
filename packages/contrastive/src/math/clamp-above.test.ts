import "@tensorflow/tfjs-backend-cpu";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { clampAbove } from "./clamp-above.js";

it("clamps the value, and stops the gradient only where it leads further up", () => {
  tf.tidy(() => {
    const x = tf.tensor1d([-1, 2, 2.5, 2.5, 2, 1]);
    expectClose(clampAbove(x, 2), [-1, 2, 2, 2, 2, 1], {});
    const dy = tf.tensor1d([1, -1, -1, 3, 1, -2]);
    expectClose(tf.grad((y) => clampAbove(y, 2))(x, dy), [1, -1, 0, 3, 1, -2], {});
    const below = tf.scalar(-2);
    expectClose(tf.grad((y) => clampAbove(y, -1))(below, tf.scalar(-1)), [-1], {});
  });
});

it("has a second derivative", () => {
  tf.tidy(() => {
    const square = (y: tf.Tensor) => tf.square(clampAbove(y, 2));
    expectClose(tf.grad((y) => tf.grad(square)(y))(tf.scalar(1)), [2], {});
    expect(square(tf.scalar(3)).dataSync()[0]).toBe(4);
  });
});
