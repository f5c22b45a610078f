import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { cosFace } from "./cos-face.js";

describe("cosFace equals its peer", () => {
  it("cosFace", () =>
    expectGolden("cosFace", (x, weights) => cosFace(x, golden.labels, { weights, scale: 8 })));
});

it("has the properties of a loss of normalised rows", async () => {
  const x = tf.tensor2d(normalArray(1, 28), [7, 4]);
  const weights = tf.tensor(normalArray(2, 12), [3, 4]);
  await checkLossProperties(([rows], labels) => cosFace(rows, labels, { weights }), {
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
    expect(() => cosFace(x, [0, 3], { weights })).toThrow(
      "cosFace: labels[1] must be an integer, at least 0 and at most 2, got 3",
    );
    expect(() => cosFace(x, [0], { weights })).toThrow("cosFace: labels must hold 2 numbers");
    expect(() => cosFace(x, [0, 1], { weights: tf.ones([3, 5]) })).toThrow("cosFace: weights must be");
    expect(() => cosFace(x, [0, 1], { weights, scales: 2 } as never)).toThrow(
      'cosFace: unknown option "scales"',
    );
  });
});
