import { initialize } from "@dcr-js/tensor";
import { checkGradients, expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { featureScatter, noiseScatter } from "./scatter.js";

beforeAll(() => initialize({ device: "cpu" }));

const labels = [7, 2, 7, 2, 2, 5];
const values = normalArray(1, 6 * 4);
const row = (i: number) => Array.from(values.subarray(i * 4, i * 4 + 4));
const meanOf = (rows: number[][]) => rows[0].map((_, d) => rows.reduce((s, r) => s + r[d], 0) / rows.length);
const squared = (a: number[], b: number[]) => a.reduce((s, x, d) => s + (x - b[d]) ** 2, 0);

describe("scatter", () => {
  it("equals its definition written as loops, in features and in noises", async () => {
    const all = labels.map((_, i) => row(i));
    const mu = meanOf(all);
    let [inner, inter] = [0, 0];
    for (const [i, label] of labels.entries()) {
      const own = meanOf(all.filter((_, k) => labels[k] === label));
      inner += squared(row(i), own) / 6;
      inter += squared(own, mu) / 6;
    }
    const features = tf.tensor2d(values, [6, 4]);
    const noises = tf.tensor4d(values, [6, 2, 1, 2]);
    await expectNoLeaks(() => {
      for (const scatter of [featureScatter(features, labels), noiseScatter(noises, labels)]) {
        expectClose([scatter.inner.dataSync()[0], scatter.inter.dataSync()[0]], [inner, inter], {
          relative: 1e-6,
        });
        tf.dispose([scatter.inner, scatter.inter]);
      }
    });
    // The two parts are all there is.
    expectClose([inner + inter], [all.reduce((s, r) => s + squared(r, mu) / 6, 0)], { relative: 1e-12 });
    tf.dispose([features, noises]);
  });

  it("does not change when all move, grows with the square of the scale, and is differentiable", async () => {
    const x = tf.tensor2d(values, [6, 4]);
    const of = (y: tf.Tensor2D) => {
      const { inner, inter } = featureScatter(y, labels);
      const result = [inner.dataSync()[0], inter.dataSync()[0]];
      tf.dispose([inner, inter, y]);
      return result;
    };
    const plain = of(tf.clone(x));
    expectClose(of(tf.add(x, 10)), plain, { relative: 1e-5 });
    expectClose(
      of(tf.mul(x, 3)),
      plain.map((s) => 9 * s),
      { relative: 1e-5 },
    );
    for (const part of ["inner", "inter"] as const) {
      await checkGradients((y) => tf.tidy(() => featureScatter(y as tf.Tensor2D, labels)[part]), [x]);
    }
    x.dispose();
  });

  it("refuses a wrong number of labels and single samples", () => {
    tf.tidy(() => {
      const x = tf.ones([3, 2]) as tf.Tensor2D;
      expect(() => featureScatter(x, [1, 2])).toThrow(/expected 3 labels, one for each row, got 2/);
      expect(() => featureScatter(tf.ones([1, 2]), [1])).toThrow(/expected two samples or more, got 1/);
      expect(() => featureScatter(tf.ones([3, 2, 1]) as never, [1, 2, 3])).toThrow(
        /must be \[n, dim\], got \[3,2,1\]/,
      );
      for (const label of [undefined, Number.NaN, "a"]) {
        expect(() => featureScatter(x, [1, 2, label as never])).toThrow(
          /featureScatter: labels\[2\] must be/,
        );
      }
      expect(() => noiseScatter(tf.ones([3]), [1, 2, 3])).toThrow(/must be \[n, \.\.\.\], got \[3\]/);
    });
  });
});
