import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { alignment, uniformity } from "./alignment-uniformity.js";

describe("alignment equals its peer", () => {
  it("alignment cubed", () => expectGolden("alignment cubed", (a, b) => alignment(a, b, { alpha: 3 })));
  it("uniformity", () => expectGolden("uniformity", (x) => uniformity(x)));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 20), [5, 4]), tf.tensor2d(normalArray(2, 20), [5, 4])];
  await checkLossProperties(([a, b]) => tf.add(alignment(a, b), uniformity(a)), {
    inputs,
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => alignment(tf.ones([2, 3]), tf.ones([2, 3]), { temperatures: 1 } as never)).toThrow(
      'alignment: unknown option "temperatures"',
    );
  });
});
