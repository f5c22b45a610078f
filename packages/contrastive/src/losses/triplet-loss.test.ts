import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { cosineDistance } from "../distances/cosine-distance.js";
import { lpDistance } from "../distances/lp-distance.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { tripletLoss } from "./triplet-loss.js";

describe("tripletLoss equals its peer", () => {
  it("tripletLoss", () => expectGolden("tripletLoss", (x) => tripletLoss(x, golden.labels, { margin: 0.2 })));
  it("tripletLoss squared swap", () =>
    expectGolden("tripletLoss squared swap", (x) =>
      tripletLoss(x, golden.labels, { margin: 0.2, swap: true, distance: lpDistance({ power: 2 }) }),
    ));
  it("tripletLoss smooth", () =>
    expectGolden("tripletLoss smooth", (x) => tripletLoss(x, golden.labels, { margin: 0.2, smooth: true })));
  it("tripletLoss cosine", () =>
    expectGolden("tripletLoss cosine", (x) =>
      tripletLoss(x, golden.labels, { margin: 0.2, distance: cosineDistance }),
    ));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 28), [7, 4])];
  await checkLossProperties(([x], labels) => tripletLoss(x, labels), {
    inputs,
    labels: [0, 1, 0, 1, 0, 1, 1],
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => tripletLoss(tf.ones([4, 3]), [0, 0, 1, 1], { temperatures: 1 } as never)).toThrow(
      'tripletLoss: unknown option "temperatures"',
    );
  });
});
