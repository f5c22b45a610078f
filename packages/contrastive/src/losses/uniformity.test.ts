import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { uniformity } from "./uniformity.js";

it("equals the authors' code", () => expectGolden("uniformity", (x) => uniformity(x)));

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 20), [5, 4])];
  await checkLossProperties(([x]) => uniformity(x), { inputs, scaleInvariant: true });
  tf.dispose(inputs);
});

it("refuses unknown options and a batch of one", () => {
  tf.tidy(() => {
    expect(() => uniformity(tf.ones([2, 3]), { temperatures: 1 } as never)).toThrow(
      'uniformity: unknown option "temperatures"',
    );
    expect(() => uniformity(tf.ones([1, 3]))).toThrow("uniformity: ");
  });
});
