import "@tensorflow/tfjs-backend-cpu";
import { checkGradients, expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectPyTorch } from "../../test/pytorch.js";
import { sigLipLoss } from "./siglip.js";

const matrix = (seed: number) => tf.tensor2d(normalArray(seed, 6), [3, 2]);

it("equals PyTorch's log sigmoid of all pairs", () =>
  expectPyTorch("sigLipLoss", "ab scale bias", (a, b, scale, bias) =>
    sigLipLoss(a, b, tf.exp(scale), bias, { reduction: "none" }),
  ));

it("has gradients at scale and bias, which are one value each", async () => {
  const inputs = [matrix(7), matrix(8), tf.scalar(0.7), tf.tensor1d([-0.5])];
  await checkGradients((x, y, scale, bias) => sigLipLoss(x, y, scale, bias), inputs, { step: 1 / 64 });
  expect(() => sigLipLoss(inputs[0], inputs[1], inputs[2], tf.ones([2]))).toThrow(
    /logitBias must be a number or a tensor of one value, got shape \[2\]/,
  );
  tf.dispose(inputs);
});

it("stays exact where a sigmoid would saturate", () => {
  tf.tidy(() => {
    const x = tf.eye(2, 4) as tf.Tensor2D;
    // Logits 90 and -10 for the wrong and the right pairs: 90 + 10 nats.
    expectClose(sigLipLoss(x, tf.reverse(x, 0), 100, -10), [100], { relative: 1e-5 });
  });
});
