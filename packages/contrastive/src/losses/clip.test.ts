import "@tensorflow/tfjs-backend-cpu";
import { checkGradients, expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectPyTorch } from "../../test/pytorch.js";
import { clipLoss } from "./clip.js";

const matrix = (seed: number) => tf.tensor2d(normalArray(seed, 6), [3, 2]);

it("equals PyTorch's cross entropy of both directions", () =>
  expectPyTorch("clipLoss", "ab scale", (a, b, scale) =>
    clipLoss(a, b, tf.exp(scale), { reduction: "none" }),
  ));

it("has a gradient at the scale, which is one value", async () => {
  const inputs = [matrix(7), matrix(8), tf.scalar(0.7)];
  await checkGradients((x, y, scale) => clipLoss(x, y, scale), inputs, { step: 1 / 64 });
  expect(() => clipLoss(inputs[0], inputs[1], tf.ones([3]))).toThrow(
    /logitScale must be a number or a tensor of one value, got shape \[3\]/,
  );
  tf.dispose(inputs);
});

it("stays exact where a softmax would saturate", () => {
  tf.tidy(() => {
    const x = tf.eye(2, 4) as tf.Tensor2D;
    // Logits 100 and 0: a pair costs a hundred nats.
    expectClose(clipLoss(x, tf.reverse(x, 0), 100), [100], { relative: 1e-5 });
  });
});
