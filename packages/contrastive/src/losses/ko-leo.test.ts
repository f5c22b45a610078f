import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { koLeo } from "./ko-leo.js";

describe("koLeo equals its peer", () => {
  it("koLeo", () => expectGolden("koLeo", (x) => koLeo(x)));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 28), [7, 4])];
  await checkLossProperties(([x]) => koLeo(x), {
    inputs,
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => koLeo(tf.ones([2, 3]), { temperatures: 1 } as never)).toThrow(
      'koLeo: unknown option "temperatures"',
    );
  });
});
