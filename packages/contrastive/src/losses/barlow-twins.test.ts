import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { barlowTwins } from "./barlow-twins.js";

describe("barlowTwins equals its peer", () => {
  it("barlowTwins", () => expectGolden("barlowTwins", (a, b) => barlowTwins(a, b)));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 20), [5, 4]), tf.tensor2d(normalArray(2, 20), [5, 4])];
  await checkLossProperties(([a, b]) => barlowTwins(a, b), {
    inputs,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => barlowTwins(tf.ones([2, 3]), tf.ones([2, 3]), { temperatures: 1 } as never)).toThrow(
      'barlowTwins: unknown option "temperatures"',
    );
  });
});
