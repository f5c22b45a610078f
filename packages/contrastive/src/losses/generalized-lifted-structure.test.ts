import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { generalizedLiftedStructure } from "./generalized-lifted-structure.js";

it("equals pytorch-metric-learning", () =>
  expectGolden("generalizedLiftedStructure", (x) => generalizedLiftedStructure(x, golden.labels)));

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 28), [7, 4])];
  await checkLossProperties(([x], labels) => generalizedLiftedStructure(x, labels), {
    inputs,
    labels: [0, 1, 0, 1, 0, 1, 1],
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() =>
      generalizedLiftedStructure(tf.ones([4, 3]), [0, 0, 1, 1], { temperatures: 1 } as never),
    ).toThrow('generalizedLiftedStructure: unknown option "temperatures"');
  });
});
