import { initialize } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { theoremOne } from "./theorem-1.js";

beforeAll(() => initialize({ device: "cpu" }));

const labels = [0, 0, 1, 1, 2, 2, 2];
const n = labels.length;

describe("theoremOne", () => {
  it("is exact where noises are the features turned and scaled", async () => {
    await expectNoLeaks(async () => {
      const z = tf.tensor2d(normalArray(1, n * 3), [n, 3]);
      // A rotation in the first two axes, times 2.
      const turn = tf.tensor2d([0, 2, 0, -2, 0, 0, 0, 0, 2], [3, 3]);
      const noises = tf.tidy(() => tf.reshape(tf.matMul(z, turn), [n, 3, 1, 1]));
      const measured = await theoremOne(z, noises, labels);
      expectClose([measured.lower, measured.upper], [2, 2], { relative: 1e-6 });
      expectClose([measured.kappa, measured.eta], [0.25, 0], { relative: 1e-6, absolute: 1e-6 });
      expectClose([measured.innerBound], [measured.features.inner], { relative: 1e-5 });
      expectClose([measured.interBound], [measured.features.inter], { relative: 1e-5 });
      tf.dispose([z, turn, noises]);
    });
  });

  it("bounds the scatters of features that noises follow in a curved way", async () => {
    for (const seed of [2, 3, 4]) {
      const z = tf.tensor2d(normalArray(seed, n * 4), [n, 4]);
      const map = tf.tensor2d(normalArray(seed + 10, 4 * 12), [4, 12]);
      const noises = tf.add(tf.matMul(z, map), tf.sin(tf.matMul(z, map)));
      const { features, innerBound, interBound, lower, upper } = await theoremOne(z, noises, labels);
      expect(lower).toBeGreaterThan(0);
      expect(upper).toBeGreaterThan(lower);
      expect(features.inner).toBeLessThanOrEqual(innerBound * (1 + 1e-6));
      expect(features.inter).toBeGreaterThanOrEqual(interBound - 1e-6);
      tf.dispose([z, map, noises]);
    }
  });

  it("says nothing where different features give one noise, and refuses equal features", async () => {
    const z = tf.tensor2d(normalArray(5, n * 2), [n, 2]);
    const same = tf.ones([n, 4]);
    const { lower, innerBound } = await theoremOne(z, same, labels);
    expect([lower, innerBound]).toEqual([0, 0]);
    await expect(theoremOne(tf.ones([n, 2]), same, labels)).rejects.toThrow("all features are equal");
    await expect(theoremOne(z, tf.ones([2, 4]), labels)).rejects.toThrow("expected noises of 7 rows");
  });
});
