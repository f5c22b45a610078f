import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { largestSize } from "./largest-size.js";

it("is the largest absolute value over the axes, and 1 where all are 0", async () => {
  const x = tf.tensor2d([-1e20, 3, 0, 0], [2, 2]);
  await expectNoLeaks(async () => {
    const [rows, whole] = [largestSize(x, -1), largestSize(x, [0, 1])];
    expect([rows.shape, whole.shape]).toEqual([
      [2, 1],
      [1, 1],
    ]);
    expectClose(rows, [1e20, 1], { relative: 1e-6 });
    expectClose(whole, [1e20], { relative: 1e-6 });
    tf.dispose([rows, whole]);
  });
  x.dispose();
});
