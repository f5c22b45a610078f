import { expectClose, normalArray } from "@dcr-js/testing";
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
  });
  tf.dispose(inputs);
});

it("has no unit: embeddings of 1e20 and 1e-23 have the loss of 1", () => {
  tf.tidy(() => {
    const x = tf.tensor2d(normalArray(1, 28), [7, 4]);
    const labels = [0, 1, 0, 1, 0, 1, 1];
    const [value] = snrContrastive(x, labels).dataSync();
    for (const scale of [1e-23, 1e20]) {
      expectClose(snrContrastive(tf.mul(x, scale), labels), [value], { relative: 1e-5 });
    }
  });
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => snrContrastive(tf.ones([4, 3]), [0, 0, 1, 1], { temperatures: 1 } as never)).toThrow(
      'snrContrastive: unknown option "temperatures"',
    );
  });
});
