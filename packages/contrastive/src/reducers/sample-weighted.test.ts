import "@tensorflow/tfjs-backend-cpu";
import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { supCon } from "../losses/sup-con.js";
import { tripletLoss } from "../losses/triplet-loss.js";
import { reduce } from "./reduce.js";
import { sampleWeighted } from "./sample-weighted.js";

it("weights each loss by its anchor", () => {
  tf.tidy(() => {
    const anchor = Int32Array.from([2, 0, 2]);
    const losses = tf.tensor1d([1, 2, 4]);
    const weighted = (weights: number[]) => reduce(losses, sampleWeighted(weights), { anchor, count: 3 });
    expectClose(weighted([3, 9, 0.5]), [(0.5 + 6 + 2) / 3], { relative: 1e-6 });
    expectClose(reduce(tf.tensor1d([]), sampleWeighted([1]), { anchor: anchor.slice(3), count: 1 }), [0], {});
    const x = tf.tensor2d(normalArray(1, 12), [4, 3]);
    const [labels, weights] = [
      [0, 1, 0, 1],
      [1, 0, 2, 0.5],
    ];
    expectClose(supCon(x, labels, { reduction: sampleWeighted(weights) }), supCon(x, labels, { weights }), {
      relative: 1e-6,
    });
    // Two triplets of each anchor.
    const each = Array.from(tripletLoss(x, labels, { reduction: "none" }).dataSync());
    const total = each.reduce((sum, loss, i) => sum + loss * weights[Math.floor(i / 2)], 0);
    expectClose(tripletLoss(x, labels, { reduction: sampleWeighted(weights) }), [total / 8], {
      relative: 1e-6,
    });
  });
});

it("refuses weights that are none, and those of other rows", () => {
  expect(() => sampleWeighted([])).toThrow("sampleWeighted: weights must be a list of a number for each row");
  expect(() => sampleWeighted([1, -1])).toThrow(
    "sampleWeighted: weights[1] must be a finite number, at least 0",
  );
  tf.tidy(() => {
    expect(() => reduce(tf.tensor1d([1, 2]), sampleWeighted([1]))).toThrow(
      "sampleWeighted: weights must hold 2 numbers, one for each row of the loss, got 1",
    );
  });
});
