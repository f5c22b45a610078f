import { clipLoss } from "@dcr-js/contrastive";
import { initialize, Random } from "@dcr-js/tensor";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { batchedClipLoss } from "./batched-clip-loss.js";

beforeAll(() => initialize({ device: "wasm" }));

describe("batchedClipLoss", () => {
  it.each([3, 14.3, 150])("has the value and the gradients of clipLoss at a scale of %s", (scale) => {
    const before = tf.memory().numTensors;
    const random = new Random(0);
    tf.tidy(() => {
      const images = random.normal([6, 5]) as tf.Tensor2D;
      const texts = tf.add(images, random.normal([6, 5])) as tf.Tensor2D;
      const factor = tf.scalar(scale);
      const of = (loss: (z: tf.Tensor2D, w: tf.Tensor2D, s: tf.Scalar) => tf.Scalar) =>
        tf.valueAndGrads((z, w, s) => loss(z as tf.Tensor2D, w as tf.Tensor2D, s as tf.Scalar))([
          images,
          texts,
          factor,
        ]);
      const ours = of(batchedClipLoss);
      // clipLoss refuses numbers above its maximum, but not tensors.
      const theirs = of((z, w, s) => clipLoss(z, w, s));
      expectClose(ours.value, theirs.value, { absolute: 1e-5 });
      for (const [i, gradient] of ours.grads.entries())
        expectClose(gradient, theirs.grads[i], { absolute: 1e-5 });
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
