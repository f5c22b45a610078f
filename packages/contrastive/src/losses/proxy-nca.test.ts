import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { proxyNCA } from "./proxy-nca.js";

describe("proxyNCA equals its peer", () => {
  it("proxyNCA", () => expectGolden("proxyNCA", (x, weights) => proxyNCA(x, golden.labels, { weights })));
});

it("has the properties of a loss of normalised rows", async () => {
  const x = tf.tensor2d(normalArray(1, 28), [7, 4]);
  const weights = tf.tensor(normalArray(2, 12), [3, 4]);
  await checkLossProperties(([rows], labels) => proxyNCA(rows, labels, { weights }), {
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
    expect(() => proxyNCA(x, [0, 3], { weights })).toThrow(
      "proxyNCA: labels[1] must be an integer, at least 0 and at most 2, got 3",
    );
    expect(() => proxyNCA(x, [0], { weights })).toThrow("proxyNCA: labels must hold 2 numbers");
    expect(() => proxyNCA(x, [0, 1], { weights: tf.ones([3, 5]) })).toThrow("proxyNCA: weights must be");
    expect(() => proxyNCA(x, [0, 1], { weights, scales: 2 } as never)).toThrow(
      'proxyNCA: unknown option "scales"',
    );
  });
});
