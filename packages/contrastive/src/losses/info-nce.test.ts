import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectCloseNorm, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import "../shared/register-gradients.js";
import { checkLossProperties } from "../testing/check-loss-properties.js";
import { infoNCE } from "./info-nce.js";
import { ntXent } from "./nt-xent.js";
import { supCon } from "./sup-con.js";

const matrix = (seed: number, n: number, dim = 4) => tf.tensor2d(normalArray(seed, n * dim), [n, dim]);

it("keeps the digits of small losses", () => {
  tf.tidy(() => {
    // Cosines 1 and 0.98: at a temperature of 1e-3 the loss is log(1 + e^-20), far below float32's rounding of 1.
    const [a, b] = [
      tf.tensor2d([1, 0, 0.98, Math.sqrt(1 - 0.98 ** 2)], [2, 2]),
      tf.tensor2d([1, 0, 0.98, Math.sqrt(1 - 0.98 ** 2)], [2, 2]),
    ];
    // The relative tolerance is float32's rounding of a cosine, 6e-8, over the temperature.
    const expected = Math.log1p(Math.exp(-0.02 / 1e-3));
    expectClose(infoNCE(a, b, { temperature: 1e-3 }), [expected], { relative: 3e-4 });
  });
});

it("symmetric is the mean of both directions", () => {
  tf.tidy(() => {
    const [a, b] = [matrix(1, 4), matrix(2, 4)];
    const both = tf.mul(tf.add(infoNCE(a, b), infoNCE(b, a)), 0.5);
    expectClose(infoNCE(a, b, { symmetric: true }), both, { relative: 1e-6 });
  });
});

describe("in blocks", () => {
  it("has the second derivative of the whole matrix", () => {
    tf.tidy(() => {
      const [a, b] = [matrix(1, 4), matrix(2, 4)];
      const second = (blocks: object) => {
        const first = tf.grad((x) => infoNCE(x, b, { temperature: 0.3, ...blocks }));
        return tf.grad((x) => tf.sum(tf.square(first(x))))(a);
      };
      expectCloseNorm(second({ blockSize: 2 }).dataSync(), second({}).dataSync(), { relative: 1e-4 });
    });
  });

  it("refuses negatives", () => {
    tf.tidy(() => {
      const x = matrix(1, 3);
      expect(() => infoNCE(x, x, { blockSize: 2, negatives: x })).toThrow(
        "infoNCE: negatives cannot be used with blockSize",
      );
    });
  });
});

it("integers are computed as floats", () => {
  tf.tidy(() => {
    // Squares of these wrap in int32 (pytorch issue 61454).
    const rows = [
      [60000, 1],
      [40000, 40000],
    ];
    const integers = tf.tensor2d(rows, [2, 2], "int32");
    expectClose(infoNCE(integers, integers), infoNCE(tf.tensor2d(rows), tf.tensor2d(rows)), {
      relative: 1e-6,
    });
  });
});

it("has the properties of a loss, at a temperature of 0.01 too", async () => {
  const inputs = [matrix(1, 5), matrix(2, 5)];
  for (const temperature of [0.1, 0.01]) {
    await checkLossProperties(([a, b]) => infoNCE(a, b, { temperature }), { inputs, scaleInvariant: true });
    await checkLossProperties(([a, b]) => ntXent(a, b, { temperature }), { inputs, scaleInvariant: true });
    await checkLossProperties(([a], labels) => supCon(a, labels, { temperature }), {
      inputs: inputs.slice(0, 1),
      labels: [0, 1, 0, 1, 0],
      scaleInvariant: true,
    });
  }
  tf.dispose(inputs);
});
