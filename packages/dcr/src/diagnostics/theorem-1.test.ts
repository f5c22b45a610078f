import { initialize } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { theoremOne } from "./theorem-1.js";

beforeAll(() => initialize({ device: "cpu" }));

const labels = [0, 0, 1, 1, 2, 2, 2];
const n = labels.length;

describe("theoremOne", () => {
  it("refuses numbers that are not finite, which would look like m = 0", async () => {
    await expectNoLeaks(async () => {
      const good = tf.tensor2d([1, 2, 3, 4], [2, 2]);
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const one = tf.tensor2d([1, 2, bad, 4], [2, 2]);
        await expect(theoremOne(one, good, [0, 1])).rejects.toThrow(
          `theoremOne: features must be finite, got ${bad} at 2`,
        );
        await expect(theoremOne(good, one, [0, 1])).rejects.toThrow(
          `theoremOne: noises must be finite, got ${bad} at 2`,
        );
        one.dispose();
      }
      good.dispose();
    });
  });

  it("equals the theorem worked by hand", async () => {
    // Two of class 0 on a line, one of class 1: pairs lie 1, 2 and 3 apart, and their noises 2, 4 and 6, or 2, 8 and 10.
    const z = tf.tensor2d([0, 1, 3], [3, 1]);
    const [even, uneven] = [tf.tensor2d([0, 2, 6], [3, 1]), tf.tensor2d([0, 2, 10], [3, 1])];
    expect(await theoremOne(z, even, [0, 0, 1])).toMatchObject({ lower: 2, upper: 2, kappa: 0.25, eta: 0 });
    const measured = await theoremOne(z, uneven, [0, 0, 1]);
    // S_inner = (0.25 + 0.25 + 0) / 3; class means 0.5, 0.5, 3 about 4/3.
    const near = { relative: 1e-6 };
    expectClose([measured.features.inner, measured.features.inter], [1 / 6, 25 / 18], near);
    // Noises: class means 1, 1, 10 about 4.
    expectClose([measured.noises.inner, measured.noises.inter], [2 / 3, 18], near);
    expectClose([measured.lower, measured.upper], [2, 4], near);
    expectClose([measured.innerBound, measured.kappa, measured.eta], [1 / 6, 1 / 16, 3 / 16], near);
    expectClose([measured.interBound], [18 / 16 - (3 / 16) * (2 / 3)], near);
    tf.dispose([z, even, uneven]);
  });

  it("has no M where equal features have different noises, and leaves out those with equal ones", async () => {
    const z = tf.tensor2d([0, 0, 1, 3], [4, 1]);
    const [noises, equal] = [tf.tensor2d([0, 5, 2, 10], [4, 1]), tf.tensor2d([5, 5, 2, 10], [4, 1])];
    const { lower, upper, kappa } = await theoremOne(z, noises, [0, 0, 1, 1]);
    // |0 - 2| / 1, |5 - 2| / 1, |0 - 10| / 3, |5 - 10| / 3, |2 - 10| / 2.
    expectClose([lower], [5 / 3], { relative: 1e-6 });
    expect([upper, kappa]).toEqual([Number.POSITIVE_INFINITY, 0]);
    const measured = await theoremOne(z, equal, [0, 0, 1, 1]);
    expectClose([measured.lower, measured.upper], [5 / 3, 4], { relative: 1e-6 });
    // Three classes: a bound of pairs with different features only, 2/3, would be above S_inter, 2/9.
    const [few, spread] = [tf.tensor2d([0, 0, 1], [3, 1]), tf.tensor2d([-5, 5, 0], [3, 1])];
    const three = await theoremOne(few, spread, [0, 1, 2]);
    expectClose([three.features.inter], [2 / 9], { relative: 1e-6 });
    expect(three.interBound).toBe(0);
    tf.dispose([z, noises, equal, few, spread]);
  });

  it("has no bound where different features have one noise", async () => {
    const z = tf.tensor2d([0, 0, 1, 3], [4, 1]);
    const nothing = { lower: 0, innerBound: Number.POSITIVE_INFINITY, eta: Number.POSITIVE_INFINITY };
    const flat = tf.tensor2d([1, 1, 1, 4], [4, 1]);
    // S_inner of the noises is 0, and that of the features is not.
    const one = await theoremOne(z, flat, [0, 0, 0, 1]);
    expect([one.noises.inner, one.features.inner > 0]).toEqual([0, true]);
    expect(one).toMatchObject({ ...nothing, interBound: Number.NEGATIVE_INFINITY });
    const apart = tf.tensor2d([1, 1, 2, 2], [4, 1]);
    const none = await theoremOne(z, apart, [0, 1, 0, 1]);
    expect([none.lower, none.innerBound]).toEqual([0, Number.POSITIVE_INFINITY]);
    expect(none.interBound).toBe(Number.NEGATIVE_INFINITY);
    tf.dispose([z, flat, apart]);
  });

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
    expect(await theoremOne(z, same, labels)).toMatchObject({
      ...{ lower: 0, upper: 0, kappa: Number.POSITIVE_INFINITY, eta: Number.POSITIVE_INFINITY },
      ...{ innerBound: Number.POSITIVE_INFINITY, interBound: Number.NEGATIVE_INFINITY },
    });
    await expect(theoremOne(tf.ones([n, 2]), same, labels)).rejects.toThrow("all features are equal");
    await expect(theoremOne(z, tf.ones([2, 4]), labels)).rejects.toThrow("expected noises of 7 rows");
  });
});
