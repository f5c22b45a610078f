import "@tensorflow/tfjs-backend-cpu";
import { checkGradients, expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { clipLoss, infoNCE, ntXent, sigLipLoss, tripletMargin } from "../index.js";

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

describe("infoNCE with negatives", () => {
  it("gives each query its own, or all the same", () => {
    tf.tidy(() => {
      const [query, positive, shared] = [matrix(1, 3), matrix(2, 3), matrix(3, 5)];
      const own = tf.tile(tf.expandDims(shared, 0), [3, 1, 1]) as tf.Tensor3D;
      const ofShared = infoNCE(query, positive, { negatives: shared, reduction: "none" });
      expectClose(infoNCE(query, positive, { negatives: own, reduction: "none" }), ofShared, {
        relative: 1e-6,
      });
      const single = infoNCE(tf.slice(query, 1, 1) as tf.Tensor2D, tf.slice(positive, 1, 1) as tf.Tensor2D, {
        negatives: shared,
      });
      expectClose(single, [ofShared.dataSync()[1]], { relative: 1e-6 });
    });
  });

  it("has the gradients that finite differences show", async () => {
    const inputs = [matrix(4, 2, 2), matrix(5, 2, 2), tf.tensor3d(normalArray(6, 12), [2, 3, 2])];
    await checkGradients(
      (q, p, x) =>
        infoNCE(q as tf.Tensor2D, p as tf.Tensor2D, {
          negatives: x as tf.Tensor3D,
          temperature: 1,
          reduction: "none",
        }),
      inputs,
      { step: 1 / 64 },
    );
    tf.dispose(inputs);
  });

  it("refuses negatives of another shape", () => {
    tf.tidy(() => {
      const x = tf.ones([2, 3]) as tf.Tensor2D;
      for (const shape of [
        [2, 4],
        [0, 3],
        [3, 5, 3],
        [2, 0, 3],
      ]) {
        const negatives = tf.ones(shape as number[] as [number, number]) as tf.Tensor2D;
        expect(() => infoNCE(x, x, { negatives })).toThrow(
          /negatives must be \[m >= 1, 3\] or \[2, m >= 1, 3\], got/,
        );
      }
      expect(() => infoNCE(x, x, { negatives: x, temperature: 0 })).toThrow(
        /temperature must be a finite number, greater than 0/,
      );
    });
  });
});

describe("clipLoss and sigLipLoss", () => {
  it("have gradients at scale and bias, and take one value alone for each", async () => {
    const [a, b] = [matrix(7, 3, 2), matrix(8, 3, 2)];
    const [scale, bias] = [tf.scalar(0.7), tf.tensor1d([-0.5])];
    await checkGradients((x, y, s) => clipLoss(x as tf.Tensor2D, y as tf.Tensor2D, s), [a, b, scale], {
      step: 1 / 64,
    });
    await checkGradients(
      (x, y, s, t) => sigLipLoss(x as tf.Tensor2D, y as tf.Tensor2D, s, t),
      [a, b, scale, bias],
      { step: 1 / 64 },
    );
    tf.tidy(() => {
      expect(() => clipLoss(a, b, tf.ones([3]))).toThrow(
        /logitScale must be a number or a tensor of one value, got shape \[3\]/,
      );
      expect(() => sigLipLoss(a, b, scale, tf.ones([2]))).toThrow(
        /logitBias must be a number or a tensor of one value, got shape \[2\]/,
      );
    });
    tf.dispose([a, b, scale, bias]);
  });

  it("stay exact where a sigmoid or softmax would saturate", () => {
    tf.tidy(() => {
      const x = tf.eye(2, 4) as tf.Tensor2D;
      // Logits 100 and 0: a pair costs a hundred nats.
      expectClose(clipLoss(x, tf.reverse(x, 0) as tf.Tensor2D, 100), [100], { relative: 1e-5 });
      expectClose(sigLipLoss(x, tf.reverse(x, 0) as tf.Tensor2D, 100, -10), [100], { relative: 1e-5 });
    });
  });
});

describe("tripletMargin", () => {
  it("is zero once the negative is further by the margin, for each distance", () => {
    tf.tidy(() => {
      const anchor = tf.tensor2d([1, 0, 1, 0], [2, 2]);
      const positive = tf.tensor2d([2, 0, 0, 2], [2, 2]);
      const negative = tf.tensor2d([1, 3, 3, 0], [2, 2]);
      const losses = (options: Parameters<typeof tripletMargin>[1]) =>
        tripletMargin({ anchor, positive, negative }, { ...options, reduction: "none" });
      expectClose(losses({}), [0, Math.sqrt(5) - 2 + 1], { absolute: 1e-5 });
      expectClose(losses({ distance: "squaredEuclidean", margin: 2 }), [0, 5 - 4 + 2], { absolute: 1e-5 });
      expectClose(losses({ distance: "cosine", margin: 0.5 }), [0, 1 - 0 + 0.5], { absolute: 1e-5 });
      expectClose(losses({ margin: 3, swap: true }), [1 - 3 + 3, Math.sqrt(5) - 2 + 3], { absolute: 1e-5 });
    });
  });

  it("has the gradients that finite differences show, and finite ones for equal embeddings", async () => {
    const inputs = [matrix(9, 2, 3), matrix(10, 2, 3), matrix(11, 2, 3)];
    for (const distance of ["euclidean", "squaredEuclidean", "cosine"] as const) {
      const loss = (a: tf.Tensor, p: tf.Tensor, n: tf.Tensor) =>
        tripletMargin({ anchor: a, positive: p, negative: n }, { distance, margin: 9 });
      await checkGradients(loss, inputs);
      const gradients = tf.grads(loss)([inputs[0], inputs[0], inputs[0]].map((x) => tf.clone(x)));
      for (const gradient of gradients) expect(gradient.dataSync().every(Number.isFinite)).toBe(true);
      tf.dispose(gradients);
    }
    tf.dispose(inputs);
  });

  it("refuses shapes that differ, a margin of 0 and an unknown distance", () => {
    tf.tidy(() => {
      const [x, y] = [tf.ones([2, 3]) as tf.Tensor2D, tf.ones([1, 3]) as tf.Tensor2D];
      expect(() => tripletMargin({ anchor: x, positive: x, negative: y })).toThrow(
        /anchor \[2,3\], positive \[2,3\], negative \[1,3\]/,
      );
      expect(() => tripletMargin({ anchor: x, positive: x, negative: x }, { margin: 0 })).toThrow(
        /margin must be a finite number, greater than 0, got 0/,
      );
      expect(() =>
        tripletMargin({ anchor: x, positive: x, negative: x }, { distance: "l1" as never }),
      ).toThrow(/one of euclidean, .*got "l1"/);
    });
  });
});
