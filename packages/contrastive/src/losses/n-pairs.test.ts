import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { nPairs } from "./n-pairs.js";

describe("nPairs equals its peer", () => {
  it("nPairs", () => expectGolden("nPairs", (x) => nPairs(x, golden.labels)));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 28), [7, 4])];
  await checkLossProperties(([x], labels) => nPairs(x, labels), {
    inputs,
    labels: [0, 1, 0, 1, 2, 2, 2],
    permutationInvariant: false,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => nPairs(tf.ones([4, 3]), [0, 0, 1, 1], { temperatures: 1 } as never)).toThrow(
      'nPairs: unknown option "temperatures"',
    );
  });
});
