import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { perAnchor } from "../reducers/per-anchor.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { nPairs } from "./n-pairs.js";

describe("nPairs equals its peer", () => {
  it("nPairs", () => expectGolden("nPairs", (x) => nPairs(x, golden.labels)));

  // Its mean over the pairs: a class has one.
  it("nPairs perAnchor", () =>
    expectGolden("nPairs perAnchor", (x) => nPairs(x, golden.labels, { reduction: perAnchor() })));
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

it("adds the squared lengths of both rows to the loss of each pair", () => {
  tf.tidy(() => {
    const x = tf.tensor2d([1, 2, 3, 0, 0, 1, 2, 2], [4, 2]);
    const losses = (l2Regularization?: number) =>
      nPairs(x, [0, 0, 1, 1], { l2Regularization, reduction: "none" });
    expectClose(tf.sub(losses(0.5), losses()), [0.5 * (5 + 9), 0.5 * (1 + 8)], { relative: 1e-6 });
  });
});
