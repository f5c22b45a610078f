import "@tensorflow/tfjs-backend-cpu";
import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { clipLoss, infoNCE, sigLipLoss, tripletLoss, tripletMargin } from "../index.js";

it("refuses numbers that are infinite or 0 as float32, by name", () => {
  tf.tidy(() => {
    const x = tf.tensor2d(normalArray(1, 12), [4, 3]);
    const y = tf.tensor2d(normalArray(2, 12), [4, 3]);
    const rows = { anchor: x, positive: y, negative: x };
    const calls: [string, () => tf.Tensor][] = [
      [
        "infoNCE: temperature must be a float32, 0 or 1.2e-38 to 3.4e38 in size, got 1e-300",
        () => infoNCE(x, y, { temperature: 1e-300 }),
      ],
      ["infoNCE: temperature must be a float32", () => infoNCE(x, y, { temperature: 1e300 })],
      ["tripletLoss: margin must be a float32", () => tripletLoss(x, [0, 0, 1, 1], { margin: 1e300 })],
      ["tripletMargin: margin must be a float32", () => tripletMargin(rows, { margin: 4e38 })],
      ["clipLoss: logitScale must be a float32", () => clipLoss(x, y, 1e-40)],
      ["sigLipLoss: logitBias must be a float32", () => sigLipLoss(x, y, 10, -1e39)],
    ];
    for (const [message, call] of calls) expect(call).toThrow(message);
    expect(Number.isFinite(tripletMargin(rows, { margin: 3e37 }).dataSync()[0])).toBe(true);
  });
});
