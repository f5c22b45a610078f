import "@tensorflow/tfjs-backend-cpu";
import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { l2Normalize } from "../shared/l2-normalize.js";
import { batched } from "./batched.js";
import { cosineSimilarity } from "./cosine-similarity.js";
import { euclideanDistance, lpDistance } from "./lp-distance.js";
import { snrDistance } from "./snr-distance.js";

const matrix = (seed: number, n: number, dim = 3) => tf.tensor2d(normalArray(seed, n * dim), [n, dim]);

it("lpDistance is the norm of the differences, with a gradient of 0 where they are 0", () => {
  tf.tidy(() => {
    const a = tf.tensor2d([0, 0, 3, 4], [2, 2]);
    const b = tf.tensor2d([3, 4], [1, 2]);
    expectClose(euclideanDistance(a, b), [5, 0], { relative: 1e-6 });
    expectClose(lpDistance({ p: 1, normalize: false })(a, b), [7, 0], { relative: 1e-6 });
    expectClose(lpDistance({ power: 2, normalize: false })(a, b), [25, 0], { relative: 1e-6 });
    expectClose(lpDistance({ p: 3, normalize: false })(a, b), [(27 + 64) ** (1 / 3), 0], { relative: 1e-6 });
    const gradient = tf.grad((x) => tf.sum(euclideanDistance(x as tf.Tensor2D, b)))(a);
    expectClose(gradient, [-0.6, -0.8, 0, 0], { relative: 1e-6 });
    expect(() => lpDistance({ p: 0.5 })).toThrow(
      "lpDistance: p must be a finite number, at least 1, got 0.5",
    );
    expect(() => euclideanDistance(a, tf.ones([1, 3]))).toThrow(
      "expected [n, dim] and [m, dim], got [2,2] and [1,3]",
    );
  });
});

it("batched gives the same values and gradients", () => {
  tf.tidy(() => {
    const [a, b] = [matrix(1, 7), matrix(2, 4)];
    for (const how of [lpDistance(), cosineSimilarity, snrDistance]) {
      const inParts = batched(how, { rows: 3 });
      expectClose(inParts(a, b), how(a, b), { relative: 1e-6, absolute: 1e-7 });
      const [whole, parts] = [how, inParts].map((f) =>
        tf.grads((x, y) => tf.sum(tf.square(f(x as tf.Tensor2D, y as tf.Tensor2D))))([a, b]),
      );
      for (const [i, gradient] of parts.entries())
        expectClose(gradient, whole[i], { relative: 1e-5, absolute: 1e-6 });
    }
  });
});

it("l2Normalize takes any length, and zero rows have a gradient of 0", () => {
  tf.tidy(() => {
    for (const length of [1e-38, 1e-20, 1, 1e20, 1e37]) {
      expectClose(l2Normalize(tf.tensor2d([3 * length, 4 * length], [1, 2])), [0.6, 0.8], {
        relative: 1e-6,
      });
    }
    const zero = tf.zeros([2, 3]);
    expectClose(l2Normalize(zero), [0, 0, 0, 0, 0, 0], {});
    expectClose(tf.grad((x) => tf.sum(l2Normalize(x)))(zero), [0, 0, 0, 0, 0, 0], {});
  });
});

it("candidates of any length have the same cosine", () => {
  tf.tidy(() => {
    // pytorch issue 115786: an epsilon that is not small beside the norms.
    const query = tf.tensor2d([1, 0.2, 0.2, 1], [2, 2]);
    const candidates = tf.tensor2d([1e-8, 0, 0, 1e-6], [2, 2]);
    const cosine = 1 / Math.hypot(1, 0.2);
    expectClose(cosineSimilarity(query, candidates), [cosine, 0.2 * cosine, 0.2 * cosine, cosine], {
      relative: 1e-6,
    });
  });
});
