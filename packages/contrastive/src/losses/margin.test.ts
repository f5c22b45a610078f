import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { margin } from "./margin.js";

it("equals pytorch-metric-learning's MarginLoss", () =>
  expectGolden("margin", (x) => margin(x, golden.labels)));

it("trains its boundary", () => {
  tf.tidy(() => {
    const x = tf.tensor2d(normalArray(3, 24), [6, 4]);
    const beta = tf.tensor1d([1.2]);
    const loss = (b: tf.Tensor) => margin(x, [0, 1, 0, 1, 0, 1], { beta: b });
    const gradient = tf.grad(loss)(beta);
    const [up, down] = [1.201, 1.199].map((b) => margin(x, [0, 1, 0, 1, 0, 1], { beta: b }).dataSync()[0]);
    expect(gradient.dataSync()[0]).toBeCloseTo((up - down) / 0.002, 2);
  });
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 28), [7, 4])];
  await checkLossProperties(([x], labels) => margin(x, labels), {
    inputs,
    labels: [0, 1, 0, 1, 0, 1, 1],
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => margin(tf.ones([4, 3]), [0, 0, 1, 1], { nu: 1 } as never)).toThrow(
      'margin: unknown option "nu"',
    );
  });
});
