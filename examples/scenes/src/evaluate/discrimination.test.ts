import "@tensorflow/tfjs-backend-cpu";
import { expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { discrimination } from "./discrimination.js";

const labels = Int32Array.from({ length: 400 }, (_, i) => (i * 7) % 5);

/** A direction for each class, and noise of this size. */
function features(noise: number): tf.Tensor2D {
  return tf.tidy(() => {
    const centres = tf.gather(tf.eye(16), tf.tensor1d(labels, "int32"));
    const rows = tf.add(centres, tf.mul(tf.tensor2d(normalArray(1, 400 * 16), [400, 16]), noise));
    return tf.div(rows, tf.norm(rows, 2, 1, true)) as tf.Tensor2D;
  });
}

describe("discrimination", () => {
  it("is 1 where classes lie apart", async () => {
    await expectNoLeaks(async () => {
      const x = features(0.02);
      expect(await discrimination(x, labels, 0)).toEqual({ NMI: 1, ACC: 1, kNN: 1, "linear probe": 1 });
      x.dispose();
    });
  });

  it("is chance on rows without classes", async () => {
    const x = tf.tensor2d(normalArray(2, 400 * 16), [400, 16]);
    const { NMI, ACC, kNN, "linear probe": probe } = await discrimination(x, labels, 0);
    expect(NMI).toBeLessThan(0.05);
    expect(ACC).toBeLessThan(0.35);
    // A share of 0.2 of 400 and of 200 rows, within four standard errors.
    expect(Math.abs(kNN - 0.2)).toBeLessThan(0.08);
    expect(Math.abs(probe - 0.2)).toBeLessThan(0.12);
    x.dispose();
  });

  it("lies between on overlapping classes, and has a probe that a constant dimension does not disturb", async () => {
    const x = features(0.35);
    const { NMI, ACC, kNN, "linear probe": probe } = await discrimination(x, labels, 0);
    for (const share of [NMI, ACC, kNN, probe]) expect(share > 0.4 && share < 1).toBe(true);
    const padded = tf.concat([x, tf.ones([400, 1])], 1) as tf.Tensor2D;
    const again = await discrimination(padded, labels, 0);
    expect(again["linear probe"]).toBeCloseTo(probe, 6);
    tf.dispose([x, padded]);
  });
});
