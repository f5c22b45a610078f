import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectGolden, golden } from "../../test/golden.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { snrContrastive } from "./snr-contrastive.js";

describe("snrContrastive equals its peer", () => {
  it("snrContrastive", () =>
    expectGolden("snrContrastive", (x) => snrContrastive(x, golden.labels, { negMargin: 2 })));
});

it("has the properties of a loss", async () => {
  const inputs = [tf.tensor2d(normalArray(1, 28), [7, 4])];
  await checkLossProperties(([x], labels) => snrContrastive(x, labels), {
    inputs,
    labels: [0, 1, 0, 1, 0, 1, 1],
    scaleInvariant: true,
    finiteAtExtremes: false,
  });
  tf.dispose(inputs);
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => snrContrastive(tf.ones([4, 3]), [0, 0, 1, 1], { temperatures: 1 } as never)).toThrow(
      'snrContrastive: unknown option "temperatures"',
    );
  });
});
