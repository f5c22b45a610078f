import { checkGradients, expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { normalTensor } from "../../../test/normal-tensor.js";
import { testBackends } from "../../../test/test-backends.js";

const resizes = { bilinear: tf.image.resizeBilinear, "nearest neighbour": tf.image.resizeNearestNeighbor };
const modes = {
  plain: [false, false],
  alignCorners: [true, false],
  halfPixelCenters: [false, true],
} as const;
const sizes: [from: [number, number], to: [number, number]][] = [
  [
    [1, 3],
    [4, 2],
  ],
  [
    [3, 5],
    [7, 5],
  ],
  [
    [6, 1],
    [2, 3],
  ],
];

describe.each(await testBackends())("gradients of resizing on $name", ({ start }) => {
  beforeAll(start);

  for (const [name, resize] of Object.entries(resizes)) {
    it.each(Object.entries(modes))(`${name}, %s, are those of finite differences`, async (_mode, [a, h]) => {
      for (const [from, to] of sizes) {
        const x = normalTensor<tf.Rank.R4>(3, [2, ...from, 2]);
        const weights = normalTensor<tf.Rank.R4>(4, [2, ...to, 2]);
        await checkGradients((y) => tf.mul(resize(y as tf.Tensor4D, to, a, h), weights), [x]);
        tf.dispose([x, weights]);
      }
    });
  }

  it("an image of one pixel gets the sum, of a corner as well", async () => {
    const run = (y: tf.Tensor) => tf.image.resizeNearestNeighbor(y as tf.Tensor4D, [3, 2], true);
    const gradient = tf.tidy(() => tf.grad(run)(tf.ones([1, 1, 1, 1])));
    expect(gradient.shape).toEqual([1, 1, 1, 1]);
    expectClose(await gradient.data(), [6]);
    gradient.dispose();
  });
});
