import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";

const endless = Number.POSITIVE_INFINITY;
const nan = Number.NaN;

// numpy.mod of float32.
const remainders: [a: number, b: number, expected: number][] = [
  [1, -1e20, -1e20],
  [-1, 1e20, 1e20],
  [1, -endless, -endless],
  [-2.5, endless, endless],
  [2.5, endless, 2.5],
  [-2.5, -endless, -2.5],
  [5, 3, 2],
  [-5, 3, 1],
  [5, -3, -1],
  [-5, -3, -2],
  [-6, 3, 0],
  [5.5, 0.25, 0],
  [1, 0, nan],
  [endless, 2, nan],
  [nan, 2, nan],
  [2, nan, nan],
];

// scipy.special.erf in float64.
const errors: [x: number, expected: number][] = [
  [1e-20, 1.128379167095513e-20],
  [1e-5, 1.1283791670579e-5],
  [1e-3, 1.1283787909692363e-3],
  [-0.1, -0.1124629160182849],
  [0.5, 0.5204998778130465],
  [1, 0.8427007929497149],
  [-2, -0.9953222650189527],
  [2.9, 0.9999589021219005],
  [3.1, 0.9999883513426328],
  [6, 1],
  [endless, 1],
  [-endless, -1],
  [nan, nan],
  [0, 0],
];

describe.each(await testBackends())("functions of float32 on $name", ({ start }) => {
  beforeAll(start);
  const read = async (run: () => tf.Tensor) => {
    const y = tf.tidy(run);
    const values = Array.from(await y.data());
    y.dispose();
    return values;
  };

  it("mod has the sign of the divisor, also beside one that is large", async () => {
    const [a, b, expected] = [0, 1, 2].map((column) => remainders.map((row) => row[column]));
    expectClose(await read(() => tf.mod(a, b)), expected, { relative: 1e-6 });
    // 1 divided by zeros of either sign.
    const zeros = await read(() => tf.div(1, tf.mod([-6, 6, 0], [3, -3, -2])));
    expect(zeros).toEqual([endless, -endless, -endless]);
    const whole = tf.tensor1d([7, -7, 7, -7, 5, -2147483648], "int32");
    const divisors = tf.tensor1d([3, 3, -3, -3, 0, -1], "int32");
    expect(await read(() => tf.mod(whole, divisors))).toEqual([1, 2, -2, -1, 0, 0]);
    expect(await read(() => tf.mod(tf.reshape(whole, [2, 3]), 4))).toEqual([3, 1, 3, 1, 1, 0]);
    tf.dispose([whole, divisors]);
  });

  it("erf keeps the digits of small numbers", async () => {
    const [x, expected] = [0, 1].map((column) => errors.map((row) => row[column]));
    expectClose(await read(() => tf.erf(x)), expected, { relative: 2e-6 });
  });
});
