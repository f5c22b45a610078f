import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { arcFace } from "./arc-face.js";

describe("arcFace equals its peer", () => {
  it("arcFace", () =>
    expectGolden("arcFace", (x, weights) => arcFace(x, golden.labels, { weights, scale: 8 })));
  it("arcFace wide", () =>
    expectGolden("arcFace wide", (x, weights) =>
      arcFace(x, golden.labels, { weights, margin: 100, scale: 8 }),
    ));
});

it("has the properties of a loss of normalised rows", async () => {
  const x = tf.tensor2d(normalArray(1, 28), [7, 4]);
  const weights = tf.tensor(normalArray(2, 12), [3, 4]);
  await checkLossProperties(([rows], labels) => arcFace(rows, labels, { weights }), {
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
    expect(() => arcFace(x, [0, 3], { weights })).toThrow(
      "arcFace: labels[1] must be an integer, at least 0 and at most 2, got 3",
    );
    expect(() => arcFace(x, [0], { weights })).toThrow("arcFace: labels must hold 2 numbers");
    expect(() => arcFace(x, [0, 1], { weights: tf.ones([3, 5]) })).toThrow("arcFace: weights must be");
    expect(() => arcFace(x, [0, 1], { weights, scales: 2 } as never)).toThrow(
      'arcFace: unknown option "scales"',
    );
  });
});
