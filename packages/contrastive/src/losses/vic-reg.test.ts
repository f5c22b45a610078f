import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { vicReg } from "./vic-reg.js";

describe("vicReg equals its peer", () => {
  it("vicReg", () => expectGolden("vicReg", (a, b) => vicReg(a, b)));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 20), [5, 4]), tf.tensor2d(normalArray(2, 20), [5, 4])];
  await checkLossProperties(([a, b]) => vicReg(a, b), {
    inputs,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => vicReg(tf.ones([2, 3]), tf.ones([2, 3]), { temperatures: 1 } as never)).toThrow(
      'vicReg: unknown option "temperatures"',
    );
  });
});
