import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { debiased, hardNegative } from "./debiased.js";

describe("debiased equals its peer", () => {
  it("debiased", () => expectGolden("debiased", (a, b) => debiased(a, b)));
  it("hardNegative", () => expectGolden("hardNegative", (a, b) => hardNegative(a, b)));
  it("hardNegative strong", () =>
    expectGolden("hardNegative strong", (a, b) =>
      hardNegative(a, b, { temperature: 0.2, classPrior: 0.3, beta: 2.5 }),
    ));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 20), [5, 4]), tf.tensor2d(normalArray(2, 20), [5, 4])];
  await checkLossProperties(([a, b]) => hardNegative(a, b, { temperature: 0.01 }), {
    inputs,
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => debiased(tf.ones([2, 3]), tf.ones([2, 3]), { temperatures: 1 } as never)).toThrow(
      'debiased: unknown option "temperatures"',
    );
  });
});
