import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { ntXentFromLabels } from "./nt-xent-from-labels.js";

describe("ntXentFromLabels equals its peer", () => {
  it("ntXentFromLabels", () =>
    expectGolden("ntXentFromLabels", (x) => ntXentFromLabels(x, golden.labels, { temperature: 0.07 })));

  it("counts a negative as often as triplets name it", () => {
    const triplets = {
      anchor: Int32Array.of(0, 0, 1, 0),
      positive: Int32Array.of(2, 5, 4, 5),
      negative: Int32Array.of(1, 1, 3, 6),
    };
    return expectGolden("ntXentFromLabels repeated negatives", (x) =>
      ntXentFromLabels(x, golden.labels, { temperature: 0.07, triplets }),
    );
  });
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 28), [7, 4])];
  await checkLossProperties(([x], labels) => ntXentFromLabels(x, labels, { temperature: 0.01 }), {
    inputs,
    labels: [0, 1, 0, 1, 0, 1, 1],
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => ntXentFromLabels(tf.ones([4, 3]), [0, 0, 1, 1], { temperatures: 1 } as never)).toThrow(
      'ntXentFromLabels: unknown option "temperatures"',
    );
  });
});
