import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { liftedStructure } from "./lifted-structure.js";
import { tupletMargin } from "./tuplet-margin.js";

describe("tupletMargin equals its peer", () => {
  it("tupletMargin", () => expectGolden("tupletMargin", (x) => tupletMargin(x, golden.labels)));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 28), [7, 4])];
  await checkLossProperties(([x], labels) => tupletMargin(x, labels), {
    inputs,
    labels: [0, 1, 0, 1, 0, 1, 1],
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => tupletMargin(tf.ones([4, 3]), [0, 0, 1, 1], { temperatures: 1 } as never)).toThrow(
      'tupletMargin: unknown option "temperatures"',
    );
  });
});

it("counts a pair as often as it is given, and takes memory for the positives times the rows", async () => {
  const angles = [0, 0.3, 1, 2];
  const x = tf.tensor2d(angles.map((angle) => [Math.cos(angle), Math.sin(angle)]));
  const negative = { anchor: Int32Array.of(0, 0, 0, 1), other: Int32Array.of(2, 3, 3, 2) };
  const pairs = { positive: { anchor: Int32Array.of(0, 1, 3), other: Int32Array.of(1, 0, 0) }, negative };
  const margin = (5.73 * Math.PI) / 180;
  // Equation 7, a sum over the list. Row 3 has no negatives.
  const expected = [0, 1, 2].map((i) => {
    const [row, other] = [pairs.positive.anchor[i], pairs.positive.other[i]];
    let sum = 0;
    for (const [k, anchor] of negative.anchor.entries()) {
      const apart = Math.cos(angles[negative.other[k]] - angles[row]);
      if (anchor === row)
        sum += Math.exp(8 * (apart - Math.cos(Math.abs(angles[other] - angles[row]) - margin)));
    }
    return Math.log1p(sum);
  });
  tf.tidy(() => {
    const losses = tupletMargin(x, [0, 0, 1, 1], { pairs, scale: 8, reduction: "none" });
    expectClose(losses, expected, { relative: 1e-5, absolute: 1e-7 });
  });
  x.dispose();
  const rows = tf.tensor2d(normalArray(1, 128 * 8), [128, 8]);
  const labels = Array.from({ length: 128 }, (_, i) => i % 16);
  for (const loss of [tupletMargin, liftedStructure]) {
    const { peakBytes } = await tf.profile(() => tf.tidy(() => loss(rows, labels)));
    expect(peakBytes).toBeLessThan(2e7);
  }
  rows.dispose();
});
