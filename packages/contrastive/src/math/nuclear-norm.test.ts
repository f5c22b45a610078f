import "@tensorflow/tfjs-backend-cpu";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { nuclearNorm } from "./nuclear-norm.js";

it("is the sum of the singular values of each matrix of a stack, wide or tall, of any size", () => {
  tf.tidy(() => {
    // Rows at right angles: the singular values are their lengths, 5 and 2, 1 and 3.
    const wide = tf.tensor3d([3, 4, 0, 0, 0, 2, 0, 1, 0, 3, 0, 0], [2, 2, 3]);
    for (const size of [1e-23, 1, 1e20]) {
      const scaled = tf.mul(wide, size);
      for (const x of [scaled, tf.transpose(scaled, [0, 2, 1])]) {
        const norms = nuclearNorm(x);
        expect(norms.shape).toEqual([2]);
        expectClose(norms, [7 * size, 4 * size], { relative: 1e-6 });
      }
    }
    // The gradient is U V^T.
    const gradient = tf.grad((x) => tf.sum(nuclearNorm(x)))(wide);
    expectClose(gradient, [0.6, 0.8, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0], { absolute: 1e-6 });
    expectClose(nuclearNorm(tf.zeros([2, 3])), [0], {});
  });
});
