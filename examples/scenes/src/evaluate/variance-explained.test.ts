import "@tensorflow/tfjs-backend-cpu";
import { Random } from "@dcr-js/tensor";
import { expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { factorNames } from "../scenes/factors.js";
import { sampleScene } from "../scenes/scene.js";
import { everyRow, varianceExplained } from "./variance-explained.js";

const random = new Random(8);
const n = 600;
const scenes = Array.from({ length: n }, () => sampleScene(random));

describe("varianceExplained", () => {
  it("is the textbook's sums of squares, by a float64 loop", async () => {
    const noise = normalArray(3, n * 3);
    // The first dimension follows count, the second position and tint, the third nothing.
    const rows = scenes.map(({ count, position, tint }, i) => [
      count + 0.5 * noise[3 * i],
      (position === "top" ? 2 : 0) + (tint === "tinted" ? 1 : 0) + 0.5 * noise[3 * i + 1],
      noise[3 * i + 2],
    ]);
    await expectNoLeaks(async () => {
      const features = tf.tensor2d(rows);
      const stored = (await features.array()) as number[][];
      const shares = await varianceExplained(features, scenes);
      expect(Object.keys(shares)).toEqual(["identity", "style", ...factorNames]);
      for (const key of ["identity", "style", ...factorNames] as const) {
        let [between, total] = [0, 0];
        for (let j = 0; j < 3; j++) {
          const column = stored.map((row) => row[j]);
          const grand = column.reduce((sum, value) => sum + value, 0) / n;
          for (const value of column) total += (value - grand) ** 2;
          for (const group of new Set(scenes.map((scene) => scene[key]))) {
            const own = column.filter((_, i) => scenes[i][key] === group);
            between += own.length * (own.reduce((sum, value) => sum + value, 0) / own.length - grand) ** 2;
          }
        }
        expect(shares[key], key).toBeCloseTo(between / total, 10);
      }
      // Factors that the feature ignores: 1 degree of freedom of 599 on average, and a chi-square of 1 degree is below 16.
      expect(shares.facing).toBeLessThan(16 / 599);
      expect(shares.count).toBeGreaterThan(0.15);
      features.dispose();
    });
  });
});

describe("everyRow", () => {
  it("takes every fourth row", () => {
    const x = tf.tensor2d([0, 1, 2, 3, 4, 5, 6, 7], [8, 1]);
    const rows = everyRow(x, 4);
    expect(Array.from(rows.dataSync())).toEqual([0, 4]);
    tf.dispose([x, rows]);
  });
});
