import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { normalizedSoftmax } from "./normalized-softmax.js";

describe("normalizedSoftmax equals its peer", () => {
  it("normalizedSoftmax", () =>
    expectGolden("normalizedSoftmax", (x, weights) => normalizedSoftmax(x, golden.labels, { weights })));
});

it("has the properties of a loss of normalised rows", async () => {
  const x = tf.tensor2d(normalArray(1, 28), [7, 4]);
  const weights = tf.tensor(normalArray(2, 12), [3, 4]);
  await checkLossProperties(([rows], labels) => normalizedSoftmax(rows, labels, { weights }), {
    inputs: [x],
    labels: [0, 1, 0, 1, 2, 1, 1],
    scaleInvariant: true,
  });
  tf.dispose([x, weights]);
});

it("refuses weights and labels that do not fit, and unknown options", () => {
  tf.tidy(() => {
    const x = tf.ones([2, 4]);
    const weights = tf.ones([3, 4]);
    expect(() => normalizedSoftmax(x, [0, 3], { weights })).toThrow(
      "normalizedSoftmax: labels[1] must be an integer, at least 0 and at most 2, got 3",
    );
    expect(() => normalizedSoftmax(x, [0], { weights })).toThrow(
      "normalizedSoftmax: labels must hold 2 numbers",
    );
    expect(() => normalizedSoftmax(x, [0, 1], { weights: tf.ones([3, 5]) })).toThrow(
      "normalizedSoftmax: weights must be",
    );
    expect(() => normalizedSoftmax(x, [0, 1], { weights, scales: 2 } as never)).toThrow(
      'normalizedSoftmax: unknown option "scales"',
    );
  });
});
