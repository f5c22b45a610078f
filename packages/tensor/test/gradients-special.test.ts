import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "./test-backends.js";

// Gradients where finite differences do not reach: at kinks, of NaN, of lists that change after the op.

describe.each(await testBackends())("gradients on $name", ({ start }) => {
  beforeAll(start);
  const gradientOf = async (f: (x: tf.Tensor) => tf.Tensor, x: tf.TensorLike) => {
    const before = tf.memory().numTensors;
    const gradient = tf.tidy(() => tf.grad(f)(tf.tensor(x as number[])));
    const values = Array.from(await gradient.data());
    gradient.dispose();
    expect(tf.memory().numTensors).toBe(before);
    return values;
  };

  it("follow parts that were reversed, sorted or added to after the op", async () => {
    const weighted = (parts: tf.Tensor[]) => tf.sum(tf.addN(parts.map((part, i) => tf.mul(part, 10 ** i))));
    expect(await gradientOf((x) => weighted(tf.unstack(x).reverse()), [1, 2, 3])).toEqual([100, 10, 1]);
    expect(await gradientOf((x) => weighted(tf.split(x, 2).reverse()), [1, 2, 3, 4])).toEqual([10, 10, 1, 1]);
    const sorted = (x: tf.Tensor) => tf.unstack(x).sort((a, b) => b.dataSync()[0] - a.dataSync()[0]);
    if (tf.getBackend() !== "dcr-webgpu") {
      expect(await gradientOf((x) => weighted(sorted(x)), [2, 3, 1])).toEqual([10, 1, 100]);
    }
    const longer = (x: tf.Tensor) => {
      const parts = tf.split(x, 2);
      parts.push(tf.slice(tf.square(x), [0], [1]));
      return weighted(parts);
    };
    expect(await gradientOf(longer, [3, 5])).toEqual([1 + 600, 10]);
    expectClose(await gradientOf((x) => tf.topk(x, 2).values, [1, 3, 2]), [0, 1, 1]);
  });
});
