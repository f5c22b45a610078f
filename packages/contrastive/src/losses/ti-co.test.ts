import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden, goldenInput } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { tiCo, tiCoCovariance } from "./ti-co.js";

it("equals lightly's TiCoLoss", () =>
  expectGolden("tiCo", (a, b) => tiCo(a, b, { covariance: goldenInput("covariance") })));

it("updates the covariance with its momentum", () => {
  tf.tidy(() => {
    const view = tf.eye(2);
    const covariance = tf.tensor2d([1, 1, 1, 1], [2, 2]);
    expectClose(tiCoCovariance(view), [0.05, 0, 0, 0.05], { relative: 1e-6 });
    expectClose(tiCoCovariance(view, { covariance, beta: 0.5 }), [0.75, 0.5, 0.5, 0.75], { relative: 1e-6 });
  });
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 20), [5, 4]), tf.tensor2d(normalArray(2, 20), [5, 4])];
  await checkLossProperties(([a, b]) => tiCo(a, b), { inputs, scaleInvariant: true });
  tf.dispose(inputs);
});

it("refuses a covariance of another width", () => {
  tf.tidy(() => {
    expect(() => tiCo(tf.ones([2, 3]), tf.ones([2, 3]), { covariance: tf.eye(2) })).toThrow(
      "covariance must be [3, 3], got [2,2]",
    );
  });
});
