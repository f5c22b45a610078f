import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { clipLoss, infoNCE, ntXent, sigLipLoss } from "../index.js";

const matrix = (seed: number, n: number, dim = 4) => tf.tensor2d(normalArray(seed, n * dim), [n, dim]);

/** The losses of two embeddings per sample, under one signature. */
const paired = {
  infoNCE: (a: tf.Tensor2D, b: tf.Tensor2D) => infoNCE(a, b, { reduction: "none" }),
  ntXent: (a: tf.Tensor2D, b: tf.Tensor2D) => ntXent(a, b, { reduction: "none" }),
  clipLoss: (a: tf.Tensor2D, b: tf.Tensor2D) => clipLoss(a, b, 4.5, { reduction: "none" }),
  sigLipLoss: (a: tf.Tensor2D, b: tf.Tensor2D) => sigLipLoss(a, b, 4.5, -2, { reduction: "none" }),
};

describe.each(Object.entries(paired))("%s", (name, loss) => {
  it("permutes with the pairs, does not change with their length, and leaks nothing", async () => {
    const [a, b] = [matrix(1, 3), matrix(2, 3)];
    const order = [2, 0, 1];
    await expectNoLeaks(() =>
      tf.tidy(() => {
        const plain = loss(a, b).dataSync();
        const index = tf.tensor1d(order, "int32");
        const permuted = loss(tf.gather(a, index), tf.gather(b, index)).dataSync();
        const expected = [...order, ...order.map((i) => i + 3)].slice(0, plain.length).map((i) => plain[i]);
        expectClose(permuted, expected, { relative: 1e-6 });
        for (const scale of [1e-10, 1e10]) {
          expectClose(loss(tf.mul(a, scale), b).dataSync(), plain, { relative: 1e-5 });
        }
      }),
    );
    tf.dispose([a, b]);
  });

  it("is smallest for the right pairs", () => {
    tf.tidy(() => {
      const a = tf.eye(3, 4) as tf.Tensor2D;
      const wrong = tf.reverse(a, 0) as tf.Tensor2D;
      const [right, mixed] = [loss(a, a), loss(a, wrong)].map((x) => tf.mean(x).dataSync()[0]);
      expect(right).toBeLessThan(mixed);
    });
  });

  it("refuses a batch of one and never broadcasts", () => {
    tf.tidy(() => {
      const one = tf.ones([1, 4]) as tf.Tensor2D;
      expect(() => loss(one, one)).toThrow(new RegExp(`${name}: a batch of one`));
      expect(() => loss(tf.ones([2, 4]) as tf.Tensor2D, one)).toThrow(
        /one shape \[n, dim\], got .*\[2,4\], .*\[1,4\]/,
      );
      expect(() => loss(tf.ones([4]) as never, tf.ones([4]) as never)).toThrow(
        /one shape \[n, dim\], got .*\[4\]/,
      );
    });
  });
});
