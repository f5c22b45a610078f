import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { debiased } from "./debiased.js";
import { hardNegative } from "./hard-negative.js";

describe("hardNegative equals the authors' code", () => {
  it("by default", () => expectGolden("hardNegative", (a, b) => hardNegative(a, b)));
  it("with a strong weight", () =>
    expectGolden("hardNegative strong", (a, b) =>
      hardNegative(a, b, { temperature: 0.2, classPrior: 0.3, beta: 2.5 }),
    ));
});

it("is debiased where beta is 0", () => {
  tf.tidy(() => {
    const [a, b] = [tf.tensor2d(normalArray(1, 20), [5, 4]), tf.tensor2d(normalArray(2, 20), [5, 4])];
    expectClose(hardNegative(a, b, { beta: 0 }).dataSync(), debiased(a, b).dataSync());
  });
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 20), [5, 4]), tf.tensor2d(normalArray(2, 20), [5, 4])];
  await checkLossProperties(([a, b]) => hardNegative(a, b, { temperature: 0.01 }), {
    inputs,
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options and a negative beta", () => {
  tf.tidy(() => {
    const [a, b] = [tf.ones([2, 3]), tf.ones([2, 3])];
    expect(() => hardNegative(a, b, { temperatures: 1 } as never)).toThrow(
      'hardNegative: unknown option "temperatures"',
    );
    expect(() => hardNegative(a, b, { beta: -1 })).toThrow("hardNegative: beta must be");
  });
});
