import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { fastAP } from "./fast-ap.js";

describe("fastAP equals its peer", () => {
  it("fastAP", () => expectGolden("fastAP", (x) => fastAP(x, golden.labels)));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 28), [7, 4])];
  await checkLossProperties(([x], labels) => fastAP(x, labels), {
    inputs,
    labels: [0, 1, 0, 1, 0, 1, 1],
    scaleInvariant: true,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => fastAP(tf.ones([4, 3]), [0, 0, 1, 1], { temperatures: 1 } as never)).toThrow(
      'fastAP: unknown option "temperatures"',
    );
  });
});
