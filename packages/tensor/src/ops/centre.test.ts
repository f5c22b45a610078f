import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";
import { groupNorm } from "./group-norm.js";
import { layerNorm } from "./layer-norm.js";

const vector = (...values: number[]) => tf.tensor1d(values);
const rows = (...values: number[]) => tf.tensor2d(values, [values.length / 4, 4]);
/** Rows as images of two pixels and two channels, in one group. */
const group = (x: tf.Tensor, w: tf.Tensor1D, b: tf.Tensor1D) =>
  tf.reshape(groupNorm(tf.reshape(x, [-1, 1, 2, 2]) as tf.Tensor4D, w, b, { groups: 1 }), [-1, 4]);
const finite = [1, 2, 3, 4, 2, 0, 1, 7];
const endless = Infinity;

// PyTorch 2's values of the same numbers in float64, but for infinite weights of group normalisation: there it computes NaN, since it
// multiplies before it subtracts the mean, and the values are those of the definition.
const cases: Record<string, [run: () => tf.Tensor, expected: number[]]> = {
  "layerNorm of 1e20": [
    () => layerNorm(rows(1, 1e20, 3, 4, 1, 2, 3, 5), vector(1, 0.5, 2, 1), vector(0, 1, 2, 3)),
    [-0.5773503, 1.866025, 0.8452995, 2.42265, -1.183213, 0.7464543, 2.338061, 4.521274],
  ],
  "layerNorm of -1e38": [
    () => layerNorm(rows(1, -1e38, 3, 4, 1, 2, 3, 5), vector(1, 0.5, 2, 1), vector(0, 1, 2, 3)),
    [0.5773503, 0.1339746, 3.154701, 3.57735, -1.183213, 0.7464543, 2.338061, 4.521274],
  ],
  "groupNorm of 1e20": [
    () => group(rows(1, 1e20, 3, 4, 1, 2, 3, 5), vector(1, 0.5), vector(0, 1)),
    [-0.5773503, 1.866025, -0.5773503, 0.7113249, -1.183213, 0.7464543, 0.1690309, 1.760639],
  ],
  "layerNorm of numbers whose sum is no float32": [
    () => layerNorm(rows(1e38, 1e38, 1e38, 1e38), null, vector(1, 2, 3, 4)),
    [1, 2, 3, 4],
  ],
  "groupNorm of numbers whose sum is no float32": [
    () => group(rows(-3e38, -3e38, -3e38, -3e38), vector(1, 1), vector(1, 2)),
    [1, 2, 1, 2],
  ],
  "gradient of layerNorm's weight at 1e20": [
    () =>
      tf.grad((w) => layerNorm(rows(1, 1e20, 3, 4, 1, 2, 3, 5), w as tf.Tensor1D, null))(
        vector(1, 1, 1, 1),
        rows(...finite),
      ),
    [-2.943777, 3.464102, -1.56302, 8.339518],
  ],
  "layerNorm with infinite and zero weights": [
    () => layerNorm(rows(...finite), vector(1, endless, 0, 2), vector(0, 1, 2, 3)),
    [-1.341635, -endless, 2, 5.683271, -0.1856952, -endless, 2, 6.342514],
  ],
  "groupNorm with an infinite weight": [
    () => group(rows(...finite), vector(1, endless), vector(0, 1)),
    [-1.341635, -endless, 0.4472118, endless, -0.1856952, -endless, -0.5570857, endless],
  ],
  "groupNorm and silu with an infinite bias": [
    () =>
      tf.reshape(
        groupNorm(
          tf.reshape(rows(1, 2, 3, 4), [1, 1, 2, 2]) as tf.Tensor4D,
          vector(1, 1),
          vector(0, endless),
          {
            groups: 1,
            activation: "silu",
          },
        ),
        [1, 4],
      ),
    [-1.341635 / (1 + Math.exp(1.341635)), endless, 0.4472118 / (1 + Math.exp(-0.4472118)), endless],
  ],
  "layerNorm of an infinity": [
    () => layerNorm(rows(1, endless, 3, 4), null, null),
    [Number.NaN, Number.NaN, Number.NaN, Number.NaN],
  ],
  "gradient of layerNorm's weight where a gradient is infinite": [
    () =>
      tf.grad((w) => layerNorm(rows(...finite), w as tf.Tensor1D, null))(
        vector(1, 1, 1, 1),
        rows(1, endless, 3, 4, 1, 2, 3, 4),
      ),
    [-1.527331, -endless, -0.3296214, 12.05157],
  ],
  "gradient of layerNorm's bias where a gradient is infinite": [
    () =>
      tf.grad((b) => layerNorm(rows(...finite), null, b as tf.Tensor1D))(
        vector(0, 0, 0, 0),
        rows(1, endless, 3, 4, 1, 2, 3, 4),
      ),
    [2, endless, 6, 8],
  ],
};

describe.each(await testBackends())("normalisation at the edges of numbers on $name", ({ start }) => {
  beforeAll(start);

  it.each(Object.entries(cases))("%s", async (_name, [run, expected]) => {
    const y = tf.tidy(run);
    expectClose(await y.data(), expected, { relative: 1e-5, absolute: 1e-6 });
    y.dispose();
  });
});
