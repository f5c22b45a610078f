import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { decoupled } from "./decoupled.js";

describe("decoupled equals its peer", () => {
  it("decoupled", () => expectGolden("decoupled", (a, b) => decoupled(a, b)));
  it("decoupled weighted", () =>
    expectGolden("decoupled weighted", (a, b) => decoupled(a, b, { sigma: 0.5 })));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 20), [5, 4]), tf.tensor2d(normalArray(2, 20), [5, 4])];
  await checkLossProperties(([a, b]) => decoupled(a, b, { temperature: 0.01 }), {
    inputs,
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => decoupled(tf.ones([2, 3]), tf.ones([2, 3]), { temperatures: 1 } as never)).toThrow(
      'decoupled: unknown option "temperatures"',
    );
  });
});
