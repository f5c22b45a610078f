import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { negativeCosine } from "./negative-cosine.js";

describe("negativeCosine equals its peer", () => {
  it("negativeCosine", () =>
    expectGolden("negativeCosine", (a, b) => negativeCosine(a, b, { stopTarget: false })));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 20), [5, 4]), tf.tensor2d(normalArray(2, 20), [5, 4])];
  await checkLossProperties(([a, b]) => negativeCosine(a, b), {
    inputs,
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => negativeCosine(tf.ones([2, 3]), tf.ones([2, 3]), { temperatures: 1 } as never)).toThrow(
      'negativeCosine: unknown option "temperatures"',
    );
  });
});
